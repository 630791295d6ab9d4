"""Alerts: what is true of the mirror, what people must be notified of, and what was delivered.

Pure: ``conditions`` has each alert with its words, ``observation`` what the ``rules`` judge, and
``notification_state`` remembers the notifications. ``runs/raise_alerts.py`` observes the mirror and keeps
that state in the ledger; ``mirror_airflow/alerts`` sends the messages.
"""
