"""What readers are served: the site beside the index, and the end of a grace period."""
