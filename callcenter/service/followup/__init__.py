"""What we owe: debts, steps of a case, dialling, and what the PBX is told of callers."""
