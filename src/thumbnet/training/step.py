"""One optimizer update."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from thumbnet.augment.mix import MixPlan, mix_images
from thumbnet.optim.optimizers import update
from thumbnet.training.engine import Engine
from thumbnet.training.phases import StepPlan
from thumbnet.training.ranks import ALONE, Ranks
from thumbnet.training.state import TrainState


def train_step(
    state: TrainState,
    images: Tensor,
    labels: Tensor,
    plan: StepPlan,
    engine: Engine,
    mix: MixPlan | None = None,
    ranks: Ranks = ALONE,
    weights: Tensor | None = None,
) -> Tensor:
    """Do one optimizer update and return the mean loss, 0-d, still on the device.

    On several ranks images and labels are this rank's, gradients and loss those of the whole batch.

    Shapes: images (B, C, H, W) float32, normalized; labels (B,) int64
    Args: weights: of the classes in the loss, the same tensor at every step
    """
    batch = [images, labels, *(() if mix is None else mix.tensors())]
    state.optimizer.zero_grad(set_to_none=True)
    work = partial(backward, plan=plan, engine=engine, ranks=ranks, weights=weights)
    loss = engine.run(work, ranks.network(state.model), batch, (plan.label_smoothing, plan.freeze))
    update(state.optimizer, plan.lr, state.clip_norm)
    state.step += 1
    state.update_ema()
    return ranks.mean(loss)


def backward(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *mixed: Tensor,
    plan: StepPlan,
    engine: Engine,
    ranks: Ranks,
    weights: Tensor | None = None,
) -> Tensor:
    """Run a batch forward and its loss backward; return the loss.

    Of the plan only label smoothing and what is frozen may count, where one process is alone: the
    rest changes from step to step, and a captured graph would not see it.

    Args: mixed: the tensors of a mix, where the batch is mixed
    """
    mix = MixPlan(*mixed) if mixed else None
    if mix is not None:
        images = mix_images(images, mix)
    with engine.autocast():
        logits = network(engine.formatted(images))
    loss = loss_of(logits.float(), labels, plan.label_smoothing, mix, weights)
    loss = ranks.weighed(loss, plan.first, plan.last)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def loss_of(
    logits: Tensor,
    labels: Tensor,
    label_smoothing: float,
    mix: MixPlan | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the mean cross-entropy; of mixed images that of both labels, by their weights.

    Labels beyond the logits are those of partners only. With weights of classes an image's loss
    is multiplied by its class's; the mean is still over images, so that parts of a batch add up.

    Shapes: logits (B, C), labels (B,), weights (classes,) -> ()
    """
    if mix is None and weights is None:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    if mix is None:
        return _losses(logits, labels, label_smoothing, weights).mean()
    weight, other = mix.weight, labels[mix.partner]
    losses = [_losses(logits, of, label_smoothing, weights) for of in (labels[: len(other)], other)]
    return (weight * losses[0] + (1 - weight) * losses[1]).mean()


def _losses(
    logits: Tensor, labels: Tensor, label_smoothing: float, weights: Tensor | None
) -> Tensor:
    """Return each image's loss, smoothed first and then weighed by its class."""
    losses = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
    return losses if weights is None else losses * weights.index_select(0, labels)


def seed_step(seed: int, step: int, device: torch.device, rank: int = 0) -> None:
    """Seed what a step draws (dropout) from (seed, step, rank): no generator must be saved."""
    value = (seed * 0x9E3779B1 + step * 0x85EBCA77 + rank * 0xC2B2AE3D + 1) % 2**63
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(value)  # a captured graph reads the seed when it is replayed
