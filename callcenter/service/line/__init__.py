"""The line itself: duty, calls and what callers leave, alarms and the watch over them."""
