"""Settings: what ``mirror.conf`` says, checked, as frozen values."""
