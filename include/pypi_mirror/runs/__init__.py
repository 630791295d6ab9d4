"""The entry points: the steps of a run in the order in which they happen, the audit, and what a person does.

``fetch_changelog`` → ``list_projects`` → ``read_pages`` → ``partition_projects`` → ``download_projects`` (a
batch at a time, any number at once) → ``rebuild_index`` → ``reload_nginx`` → ``report``. Each takes an open
Mirror and the run's id, can be run again after a crash, and leaves what the next one needs in the ledger:
Airflow's tasks and the command line both pass nothing but numbers on.
"""
