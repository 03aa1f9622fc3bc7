"""The people we look after: entries, numbers, reveals, merges, blocks, plans."""
