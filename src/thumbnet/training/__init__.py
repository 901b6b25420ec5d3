"""The plain loop, what it keeps, and what watches it."""
