"""Who may do what, how often and how much at once: keys, scopes, rates, places. Knows no transport."""
