"""Alerts on Airflow's side: what a message says, and how it reaches people.

``message`` is what is sent, ``channels`` sends it, ``notify`` sees to it that people get each once,
``failed_run`` and ``advice`` make the message of a run that failed. When an alert holds is decided by
``pypi_mirror/alerts``.
"""
