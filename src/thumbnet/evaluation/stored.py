"""Predictions are made once: logits beside the run, with what they were made from."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
LOGITS, META = "logits.npy", "meta.json"


@dataclass(frozen=True)
class Key:
    """What logits depend on; those of another key are other predictions."""

    split: str
    fingerprint: str
    weights_sha256: str
    image_size: int
    views: str
    num_images: int
    num_classes: int

    @property
    def folder_name(self) -> str:
        """A name that tells people apart what the whole key tells for sure."""
        size, weights = f"{self.image_size}px", self.weights_sha256[:8]
        return f"{self.split}-{size}-{self.views}-{weights}-{self.fingerprint[:8]}"


def stored_logits(
    folder: Path, key: Key, make: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return logits from a folder of predictions; made, and put there, where it has none of them.

    A folder that cannot be written costs the time again and no more; damaged files are replaced.

    Shapes: -> (num_images, num_classes)
    """
    place = folder / key.folder_name
    known = read_logits(folder, key)
    if known is not None:
        return known
    logits = make()
    assert logits.shape == (key.num_images, key.num_classes)
    with suppress(OSError):
        _write(place, key, logits)
    return logits


def read_logits(folder: Path, key: Key) -> NDArray[np.float32] | None:
    """Return the logits that a folder of predictions holds; None where there are none of this key.

    Shapes: -> (num_images, num_classes)
    """
    place = folder / key.folder_name
    try:
        meta = json.loads((place / META).read_text(encoding="utf-8"))
        held = (place / LOGITS).read_bytes()
        if meta["key"] != asdict(key) or meta["schema_version"] != SCHEMA_VERSION:
            return None
        if meta["sha256"] != hashlib.sha256(held).hexdigest():
            return None
        logits: NDArray[np.float32] = np.load(place / LOGITS, allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return logits


def _write(place: Path, key: Key, logits: NDArray[np.float32]) -> None:
    """Write the logits, then the file that says what they are; without it they do not count."""
    place.mkdir(parents=True, exist_ok=True)
    (place / META).unlink(missing_ok=True)
    temporary = place / f".{LOGITS}.tmp"
    with temporary.open("wb") as file:
        np.save(file, logits)
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    temporary.replace(place / LOGITS)
    meta = {"schema_version": SCHEMA_VERSION, "key": asdict(key), "sha256": digest}
    temporary = place / f".{META}.tmp"
    temporary.write_text(json.dumps(meta, indent=1), encoding="utf-8")
    temporary.replace(place / META)
