"""Predictions of a trained network, and figures drawn from them."""
