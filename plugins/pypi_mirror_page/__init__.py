"""The mirror's page in Airflow's UI: a FastAPI application that Airflow's API server mounts.

What it shows comes from ``pypi_mirror.observing``; what a person asks for goes to the ledger, or to Airflow's
own REST API with that person's credentials. ``access`` says who may do what, ``routes`` has the addresses.
"""
