"""The version, read by the package and by its metadata."""

__version__ = "0.1.0"
