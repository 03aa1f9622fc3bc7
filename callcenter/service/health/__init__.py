"""A look over everything, one sentence a finding."""
