"""The forms that come with us, as data."""
