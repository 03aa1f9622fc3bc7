"""The register of hardship workers, read from lists."""
