"""One optimizer update."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from thumbnet.optim.optimizers import set_lr
from thumbnet.training.engine import Engine
from thumbnet.training.phases import StepPlan
from thumbnet.training.state import TrainState


def train_step(
    state: TrainState, images: Tensor, labels: Tensor, plan: StepPlan, engine: Engine
) -> Tensor:
    """Do one optimizer update and return the mean loss, 0-d, still on the device.

    Shapes: images (B, C, H, W) float32, normalized; labels (B,) int64
    """
    set_lr(state.optimizer, plan.lr)
    with engine.autocast():
        logits = state.model(engine.formatted(images))
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=plan.label_smoothing)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if state.clip_norm is not None:
        nn.utils.clip_grad_norm_(state.model.parameters(), state.clip_norm, foreach=True)
    state.optimizer.step()
    state.step += 1
    state.update_ema()
    return loss.detach()


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Seed what a step draws (dropout) from (seed, step), so that no generator must be saved."""
    value = (seed * 0x9E3779B1 + step * 0x85EBCA77 + 1) % 2**63
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
