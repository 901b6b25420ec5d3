"""Search over the keys of a recipe: resumable trials, judged on the watched images alone."""
