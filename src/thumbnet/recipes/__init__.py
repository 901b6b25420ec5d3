"""Built-in recipes, one file a source; data only."""
