"""What a mirror remembers between runs: single values, each with its name in the ledger and its type."""
