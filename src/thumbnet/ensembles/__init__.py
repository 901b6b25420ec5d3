"""Several trained networks made one, and judged beside its members."""

from thumbnet.ensembles.make import Made, make_ensemble, snapshots_of
from thumbnet.ensembles.seeds import Spread, check_vacant, spread_of, train_seeds

__all__ = [
    "Made",
    "Spread",
    "check_vacant",
    "make_ensemble",
    "snapshots_of",
    "spread_of",
    "train_seeds",
]
