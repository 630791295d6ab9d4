"""What a person has to hear of beside failed runs: conditions of the mirror, and what was told of them.

Everything here is pure. ``runs/raise_alerts.py`` looks at the mirror and keeps what was told in the ledger.
"""
