"""Where thumbnet keeps what it downloads and packs."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return $THUMBNET_CACHE, else $XDG_CACHE_HOME/thumbnet, else ~/.cache/thumbnet."""
    if own := os.environ.get("THUMBNET_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "thumbnet"
    return Path.home() / ".cache" / "thumbnet"
