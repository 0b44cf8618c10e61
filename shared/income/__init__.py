"""What counts as income: the rules, and how they are applied to an account's stored history. Pure."""
