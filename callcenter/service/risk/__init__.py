"""People in danger: cases and rescues."""
