"""The record of an answered call: written, read, reviewed, amended."""
