"""Every Asterisk file, rendered from one typed plan."""
