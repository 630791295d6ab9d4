"""Runs the whole project on one machine, without root and without Docker: ``make mirror``, ``up``, ``down``.

It prepares Airflow on SQLite under ``./var``, starts it, nginx and the stand-in upstream as processes of
its own, and stops what it started. It calls the engine and Airflow's REST API; nothing imports it.
"""
