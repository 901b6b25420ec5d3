"""What a trained network costs: its size, its computation, its training, and the time it takes."""

import csv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import nn

from thumbnet.inference.predictor import Predictor, load_predictor
from thumbnet.models.describe import count_flops
from thumbnet.runs import find_run

BATCHES = (1, 128)
BUDGET_S = 0.6  # for timing one batch size; at least three passes are timed
MAX_REPEATS = 50


@dataclass(frozen=True)
class Costs:
    """Costs of one network.

    `flops` are those of one image forward, a multiplication and its addition count as two;
    `train_s` is None where no run is known; `image_s` are seconds an image by batch size, the
    network alone, in fp32 as it is judged.
    """

    num_parameters: int
    flops: int
    train_s: float | None
    image_s: dict[int, float]


def costs_of(run_or_folder: str | Path, weights: str = "best", device: str = "cpu") -> Costs:
    """Count and time a trained network on this machine.

    Raises: CheckpointError where there is none, or it is damaged
    """
    predictor = load_predictor(run_or_folder, weights, device)
    model = predictor.model.eval()
    return Costs(
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        flops=count_flops(model, _images(predictor, 1)),
        train_s=_train_s(run_or_folder),
        image_s={size: _image_s(model, _images(predictor, size)) for size in BATCHES},
    )


def _images(predictor: Predictor, batch_size: int) -> torch.Tensor:
    preprocess = predictor.trained.preprocess
    size, channels = preprocess.input_size, preprocess.in_channels
    images = torch.rand(batch_size, channels, size, size, device=predictor.device)
    return images.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def _image_s(model: nn.Module, images: torch.Tensor) -> float:
    """Return the median seconds an image, after one pass to warm up."""
    times: list[float] = []
    begun = perf_counter()
    while len(times) < 4 or (perf_counter() - begun < BUDGET_S and len(times) < MAX_REPEATS):
        started = perf_counter()
        model(images).sum().item()  # waits for the device
        times.append(perf_counter() - started)
    return median(times[1:]) / len(images)


def _train_s(run_or_folder: str | Path) -> float | None:
    """Return how long a run trained; a model folder alone does not tell."""
    if (Path(run_or_folder) / "config.json").is_file():
        return None
    with (
        suppress(OSError, KeyError, ValueError, IndexError),
        find_run(run_or_folder).results_file.open(encoding="utf-8", newline="") as file,
    ):
        return float(list(csv.DictReader(file))[-1]["wall_s"])
    return None
