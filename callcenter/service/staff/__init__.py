"""Who runs the line: users, and how they sign in."""
