"""From rows to calls: a pure fold, free of order, duplicates and losses (P6)."""
