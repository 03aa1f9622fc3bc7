"""Who answers, and what happened."""
