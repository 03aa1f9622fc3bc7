"""Calls, people, duty and debts as values and decisions. No input, no output, no clock."""
