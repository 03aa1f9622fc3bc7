"""What a caller hears and presses. Knows no call centre and no database."""
