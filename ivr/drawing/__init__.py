"""A flow as a picture, for people who would rather see it than read it."""
