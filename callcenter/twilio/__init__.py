"""The Twilio door."""
