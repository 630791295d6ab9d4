"""What readers are served: layout, stray pages, the end of a grace period, figures."""
