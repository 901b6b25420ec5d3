"""Several trainings of one network made one by the mean of their weights."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from thumbnet.data.loader import Loader, batches, epoch_order
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.errors import RecipeError
from thumbnet.model_folder import TrainedModel

NUM_IMAGES = 10_000  # that batch norm is measured on anew, drawn from the fitted ones
BATCH = 250
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def average_weights(
    trained: Sequence[TrainedModel],
    shares: Sequence[float],
    dataset: PackedDataset,
    fit: Part,
    device: torch.device,
) -> TrainedModel:
    """Return the network whose weights are the mean of those given.

    Statistics of batch norm do not average; they are measured anew on fitted images, which are
    seen as the network is judged, not augmented.

    Raises: RecipeError for networks that are not the same, or see their images differently
    Source: arXiv:1803.05407
    """
    first = trained[0]
    for one in trained:
        same = (one.architecture, one.model_args, one.num_outputs, one.preprocess)
        if one.members or same != (
            first.architecture, first.model_args, first.num_outputs, first.preprocess,
        ):  # fmt: skip
            raise RecipeError(
                f"weights are averaged of one network with one preprocessing; {one.recipe} is "
                f"{one.architecture} {one.model_args}, {first.recipe} {first.architecture} "
                f"{first.model_args}; leave out --average-weights to average what they put out"
            )
    model = deepcopy(first.model)
    model.load_state_dict(_mean([one.model.state_dict() for one in trained], shares))
    averaged = replace(
        first, model=model.to(device), recipe=", ".join(one.recipe for one in trained)
    )
    measure_norms(averaged, dataset, fit, device)
    return averaged


def _mean(states: Sequence[dict[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    total = sum(shares)
    mean = {}
    for name, first in states[0].items():
        if first.is_floating_point():
            parts = (
                s[name].double() * (share / total) for s, share in zip(states, shares, strict=True)
            )
            mean[name] = torch.stack(list(parts)).sum(0).to(first.dtype)
        else:
            mean[name] = first
    return mean


@torch.no_grad()
def measure_norms(
    trained: TrainedModel, dataset: PackedDataset, fit: Part, device: torch.device
) -> None:
    """Measure the statistics of batch norm anew, as plain means over batches of fitted images."""
    model, preprocess = trained.model, trained.preprocess
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    if not norms:
        return
    chosen = epoch_order(0, 0, len(fit))[:NUM_IMAGES].sort().values
    part = Part(fit.split, fit.indices[chosen.numpy()])
    loader = Loader(dataset, part, device, preprocess.shrink)
    momenta = [norm.momentum for norm in norms]
    model.eval()  # dropout stays off
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    order = epoch_order(1, 0, len(part))
    whole = [cut for cut in batches(len(part), BATCH) if cut.stop - cut.start == BATCH]
    for cut in whole or [slice(0, len(part))]:
        model(preprocess.to_input(loader.batch(order[cut])[0]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
