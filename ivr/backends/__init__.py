"""Ways to run a flow: Asterisk dialplan and TwiML."""
