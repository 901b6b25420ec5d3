"""Predictions by the ONNX graph of an exported folder, as a Predictor gives them."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from thumbnet.ensemble_model import plain_preprocess
from thumbnet.errors import CheckpointError
from thumbnet.export.onnx import ONNX, Session
from thumbnet.inference import Predictor
from thumbnet.model_folder import read_model


class OnnxNet(nn.Module):
    """A graph in the place of the network it was made of, whose parameters it keeps to count.

    It takes images in [0, 1] as they are packed; the graph scales and normalizes them itself.
    """

    def __init__(self, session: Session, model: nn.Module) -> None:
        super().__init__()
        self.session, self.model = session, model

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes) for images (B, 3, S, S)."""
        packed = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1)  # as they were packed
        return torch.from_numpy(self.session.logits(packed.numpy()))


def load_onnx_predictor(folder: str | Path) -> Predictor:
    """Load the ONNX graph of a folder that `thumbnet export --onnx` wrote.

    Raises: CheckpointError where there is none, or it is damaged; RecipeError without the extra
    Example: load_onnx_predictor("exported").predict([Path("cat.jpg")])
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise CheckpointError(
            f"{path} is not an exported folder; make one with "
            "`thumbnet export RUN -o FOLDER --onnx`"
        )
    trained = read_model(path)
    net = OnnxNet(Session(path / ONNX), trained.model)
    return Predictor(replace(trained, model=net, preprocess=plain_preprocess(trained.preprocess)))
