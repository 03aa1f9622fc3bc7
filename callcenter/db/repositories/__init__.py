"""One file per aggregate: rows in, frozen domain values out, no SQLAlchemy object escapes."""
