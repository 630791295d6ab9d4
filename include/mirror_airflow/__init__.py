"""What the DAGs need of Airflow and what is too much for a DAG file.

Retries, stop-on-error between batches, the trigger form, alerts. The engine knows nothing of it, and
the DAG files only wire it together.
"""
