"""What has changed upstream since the last run, and whether it is the same upstream."""
