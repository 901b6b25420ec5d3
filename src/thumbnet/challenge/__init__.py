"""A challenge with hidden labels: submissions, quota, scoreboard. Nothing here imports torch."""
