"""The work of a batch: bring projects up to date one by one, and finish them a group at a time."""
