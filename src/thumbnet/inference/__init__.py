"""Use a trained network: predict images of any size, and judge it on labeled ones."""

from thumbnet.inference.comparison import Comparison, compare
from thumbnet.inference.judge import (
    Evaluation,
    all_logits,
    data_of,
    evaluate,
    evaluate_same,
    recipe_of,
    weights_file,
)
from thumbnet.inference.predictor import (
    Guess,
    Predictor,
    check_classes,
    load_predictor,
    read_pixels,
)

__all__ = [
    "Comparison",
    "Evaluation",
    "Guess",
    "Predictor",
    "all_logits",
    "check_classes",
    "compare",
    "data_of",
    "evaluate",
    "evaluate_same",
    "load_predictor",
    "read_pixels",
    "recipe_of",
    "weights_file",
]
