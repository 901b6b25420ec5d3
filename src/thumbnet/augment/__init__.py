"""Augmentation as pure batched functions of given parameters, and the view a network is judged at."""
