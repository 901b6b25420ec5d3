"""The data room: sources read safely, packed once, opened as memory-mapped arrays; no torch."""
