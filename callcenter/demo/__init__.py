"""Rehearsal: SIPp callers, phones and a carrier around a real Asterisk."""
