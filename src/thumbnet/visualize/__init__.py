"""Pictures: arrays, tensors and modules in, matplotlib figures out, all in one look."""
