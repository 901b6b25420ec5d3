"""Networks: one file per family, found by name in `thumbnet.models.registry`."""
