"""Which hidden images count on the board at once; the others count at the reveal."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def shuffled(count: int, seed: int, purpose: str) -> NDArray[np.int64]:
    """Return a permutation that (seed, purpose) decide, the same in every version of every library.

    Who knows the seed knows the permutation; orders of two purposes tell nothing of each other.
    """
    key = f"{seed}/{purpose}/".encode()
    digests = [hashlib.sha256(key + str(place).encode()).digest() for place in range(count)]
    return np.array(sorted(range(count), key=digests.__getitem__), np.int64)


def choose_public(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Choose the public images: as near as whole images go, the same share of every class.

    Exactly round(share * num_images) are chosen. Of classes whose share is no whole number, those
    with the largest rest get one more; equal rests are drawn.

    Shapes: labels (N,) -> (N,)
    Raises: ValueError unless 0 <= share <= 1
    """
    if not 0 <= share <= 1:
        raise ValueError(f"public_share is {share}; it takes 0 to 1")
    classes, sizes = np.unique(labels, return_counts=True)
    exact = share * sizes
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    draw = np.argsort(shuffled(len(classes), seed, "public classes"))
    left = round(share * len(labels)) - int(quotas.sum())
    order = np.lexsort((draw, -np.round(exact - quotas, 9)))
    quotas[order[:left]] += 1
    public = np.zeros(len(labels), np.bool_)
    mixed = shuffled(len(labels), seed, "public images")
    for class_index, quota in zip(classes, quotas, strict=True):
        own = mixed[labels[mixed] == class_index]
        public[own[:quota]] = True
    return public
