"""The engine of pypi-mirror: keeps a full or partial PyPI mirror in sync on a disk.

It never imports airflow. Its two faces, the DAGs in ``dags/`` and the command line in
``pypi_mirror.cli``, call the same steps in ``pypi_mirror.steps``.
"""

__version__ = "0.1.0"
