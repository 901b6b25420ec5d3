"""A trained network handed on: a model folder with its card, and an ONNX graph that is proven."""
