"""Augmentation as pure batched functions of given parameters, and the judged view."""
