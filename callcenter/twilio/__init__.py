"""Twilio's door: placing calls over its REST API, and answering its webhooks with TwiML."""
