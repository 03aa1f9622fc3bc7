"""The `hotline` command, one file per command group."""
