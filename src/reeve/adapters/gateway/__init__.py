"""The gateway: the only way out of attempts; it holds the keys, counts, and refuses what is over budget."""
