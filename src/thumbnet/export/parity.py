"""Whether two sets of logits of the same images are one network's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import ThumbnetError
from thumbnet.scoring import ranked

TIE = 1e-4
ALLOWED = 1e-4


class ParityError(ThumbnetError):
    """An exported graph that does not compute what the network does."""


@dataclass(frozen=True)
class Parity:
    """How far apart two sets of logits are.

    `relative` is the largest difference as a share of its image's largest logit. `num_ties`
    images have two largest logits within 1e-4, so that either class may come first;
    `num_different` of the others have another top-1.
    """

    num_images: int
    num_ties: int
    num_different: int
    absolute: float
    relative: float

    @property
    def holds(self) -> bool:
        """Whether top-1 is equal but for ties, and no logit is further off than allowed."""
        return self.num_different == 0 and self.relative <= ALLOWED  # not so for NaN


def parity(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Parity:
    """Compare a network's logits with those of what was made of it.

    Shapes: (N, C), (N, C)
    Raises: ParityError where they are not of the same shape
    """
    if ours.shape != theirs.shape:
        raise ParityError(f"the graph gives logits of shape {theirs.shape}, not {ours.shape}")
    largest = np.sort(ours, axis=1)[:, -2:]
    tied = largest[:, -1] - largest[:, 0] <= TIE if ours.shape[1] > 1 else np.ones(len(ours), bool)
    different = ranked(ours, 1)[:, 0] != ranked(theirs, 1)[:, 0]
    gaps = np.abs(ours.astype(np.float64) - theirs).max(axis=1)
    sizes = np.abs(ours).max(axis=1)
    shares = np.divide(gaps, sizes, out=gaps.copy(), where=sizes > 0)
    return Parity(
        num_images=len(ours),
        num_ties=int(tied.sum()),
        num_different=int((different & ~tied).sum()),
        absolute=float(gaps.max()),
        relative=float(shares.max()),
    )


def check_parity(found: Parity) -> None:
    """Refuse logits that are not the network's.

    Raises: ParityError
    """
    if not found.holds:
        raise ParityError(
            f"the ONNX graph is not the network: {found.num_different} of {found.num_images} "
            f"images have another top-1, logits differ by {found.absolute:.2g}, relative "
            f"{found.relative:.2g} ({ALLOWED:g} is allowed); nothing was written"
        )
