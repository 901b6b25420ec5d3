"""The ONNX file of a trained network: written by torch, run by onnxruntime."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from thumbnet.data.progress import Progress
from thumbnet.errors import CheckpointError, RecipeError
from thumbnet.evaluation.predict import BATCH
from thumbnet.export.graph import packed_network
from thumbnet.model_folder import TrainedModel

ONNX = "model.onnx"
INPUT, OUTPUT = "images", "logits"
OPSET = 20
REGISTRY = "torch.onnx._internal.exporter._registration"  # warns that torchvision is not there


def write_onnx(path: Path, trained: TrainedModel) -> None:
    """Write the network with its preprocessing as one file, for batches of any size.

    Raises: RecipeError where the extra is not installed, or the network has what ONNX has not
    """
    _require("onnx", "onnxscript")
    size = trained.preprocess.source_size
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    try:
        with _third_party_quiet():
            program = torch.onnx.export(
                packed_network(trained).cpu(),
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise RecipeError(f"{trained.architecture} cannot be written as ONNX: {reason}") from error
    assert program is not None
    program.model.metadata_props["label_names"] = json.dumps(list(trained.wnids))
    program.save(path, external_data=False)


class Session:
    """An ONNX file ready to run on the CPU.

    Raises: CheckpointError for a file that is missing or damaged; RecipeError without the extra
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(
                f"{path} does not exist; write it with `thumbnet export RUN --onnx`"
            )
        runtime = _require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors only
        try:
            self._session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes share no base but this
            raise CheckpointError(f"{path} is damaged or not an ONNX file: {error}") from None

    def logits(
        self,
        images: NDArray[np.uint8],
        progress: Progress | None = None,
        *,
        batch_size: int = BATCH,
    ) -> NDArray[np.float32]:
        """Run the graph over packed images.

        Shapes: images (N, S, S, 3) -> (N, num_classes)
        """
        parts: list[NDArray[np.float32]] = []
        for first in range(0, len(images), batch_size):
            part = np.ascontiguousarray(images[first : first + batch_size])
            parts.append(self._session.run([OUTPUT], {INPUT: part})[0])
            if progress is not None:
                progress(min(first + batch_size, len(images)), len(images), "running ONNX")
        return np.concatenate(parts)


def _require(*modules: str) -> Any:
    """Import modules of the extra, and return the last."""
    try:
        with _third_party_quiet():
            return [import_module(name) for name in modules][-1]
    except ImportError as error:
        raise RecipeError(
            f"ONNX needs {error.name or error}; install it with: pip install 'thumbnet[onnx]'"
        ) from None


@contextmanager
def _third_party_quiet() -> Iterator[None]:
    """Keep back what the exporter's own code says of features that will go."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        logger = logging.getLogger(REGISTRY)
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
