"""When: what is owed, since when, and why not now. Knows no telephone and no database."""
