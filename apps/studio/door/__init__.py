"""Who may come in, with how much, and where it is kept."""
