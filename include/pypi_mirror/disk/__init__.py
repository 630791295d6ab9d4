"""The mirror's disks: atomic writes, free room, what the system refuses, and whose disk it is."""
