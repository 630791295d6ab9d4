"""The audit: what is wrong on the disk, and its repair; ``runs/audit.py`` is the run that does it."""
