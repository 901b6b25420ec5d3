"""What is asked and the hidden answers; how arrays are kept as bytes."""

import json
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.settings import ChallengeError


@dataclass(frozen=True, eq=False)
class Truth:
    """The images of a challenge by name, their hidden classes, and which count on the board.

    Shapes: labels (N,) int64; public (N,) bool
    """

    names: tuple[str, ...]
    wnids: tuple[str, ...]
    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    public: NDArray[np.bool_]

    @property
    def num_public(self) -> int:
        """Number of images that count on the board."""
        return int(self.public.sum())

    @property
    def num_private(self) -> int:
        """Number of images that count at the reveal."""
        return len(self.public) - self.num_public

    def check(self) -> None:
        """Check that all parts fit each other.

        Raises: ChallengeError where they do not
        """
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ChallengeError("a challenge needs images, each with a name of its own")
        if not len(self.names) == len(self.labels) == len(self.public):
            raise ChallengeError("names, labels and the public part must have the same length")
        if len(self.wnids) != len(self.class_names) or len(set(self.wnids)) != len(self.wnids):
            raise ChallengeError("each class needs one wnid of its own and one name")
        if self.labels.min() < 0 or self.labels.max() >= len(self.wnids):
            raise ChallengeError(f"labels must be class indices below {len(self.wnids)}")
        if not self.num_public:
            raise ChallengeError(
                f"none of {len(self.names)} images would be public; take a larger public share"
            )


@dataclass(frozen=True, eq=False)
class Judged:
    """Which images a submission got right, and how many of each part.

    Shapes: correct (N,) bool
    """

    correct: NDArray[np.bool_]
    public: int
    private: int


def judge(answers: NDArray[Any], truth: Truth) -> Judged:
    """Score answers: an image is right where one of its labels is the hidden one.

    Shapes: answers (N, num_labels)
    """
    correct = (answers == truth.labels[:, None]).any(axis=1)
    public = int(np.count_nonzero(correct & truth.public))
    return Judged(correct, public, int(np.count_nonzero(correct)) - public)


def pack_array(array: NDArray[Any]) -> bytes:
    """Compress whole numbers, or bits, in the smallest type that holds them."""
    if array.dtype != np.bool_:
        array = array.astype(np.min_scalar_type(int(array.max(initial=0))))
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return zlib.compress(file.getvalue())


def unpack_array(packed: bytes) -> NDArray[Any]:
    """Undo `pack_array`, up to the type."""
    array: NDArray[Any] = np.load(BytesIO(zlib.decompress(packed)), allow_pickle=False)
    return array


def pack_words(words: tuple[str, ...]) -> bytes:
    """Compress a list of words."""
    return zlib.compress(json.dumps(words).encode())


def unpack_words(packed: bytes) -> tuple[str, ...]:
    """Undo `pack_words`."""
    return tuple(json.loads(zlib.decompress(packed)))


def pack_bits(correct: NDArray[np.bool_]) -> bytes:
    """Put eight images in a byte."""
    return np.packbits(correct).tobytes()


def unpack_bits(packed: bytes, count: int) -> NDArray[np.bool_]:
    """Undo `pack_bits`."""
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=count).astype(np.bool_)
