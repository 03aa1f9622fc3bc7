"""Who is planned, who came, who is rested: the roster and what people do with it (R44, R47)."""
