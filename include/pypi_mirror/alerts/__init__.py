"""Alerts: what is true of the mirror, what people must be notified of, and what was delivered.

Pure: ``conditions`` has what an alert is and its words, ``rules`` judge an observation, and
``notification_state`` remembers the notifications. ``runs/raise_alerts.py`` observes the mirror and keeps
that state in the ledger; ``mirror_airflow/alerts`` sends the messages.
"""
