"""What a run will take, before its first step."""

from dataclasses import dataclass

from torch import nn

from thumbnet.training.measure import Measured
from thumbnet.training.phases import PhasePlan, Plan

BASE_BYTES = 350e6  # Python, torch and its kernels


@dataclass(frozen=True)
class Forecast:
    """Seconds a step of each phase, seconds of judging once, and peak memory."""

    step_s: tuple[float, ...]
    watch_s: float
    total_s: float
    peak_bytes: float

    def epoch_s(self, plan: Plan, phase: int) -> float:
        """Return the seconds of one epoch of a phase, judging included."""
        return self.step_s[phase] * plan.phases[phase].steps_per_epoch + self.watch_s


def make_forecast(
    plan: Plan,
    measured: Measured,
    model: nn.Module,
    num_watched: int,
    ema: bool,
    packed_size: int = 64,
) -> Forecast:
    """Add up what was measured over the plan; peak memory counts the images in use.

    Units: packed_size in px; larger images are made of them batch by batch
    """
    watch_s = measured.judge_image_s * num_watched
    steps = zip(measured.step_s, plan.phases, strict=True)
    training_s = sum(step_s * phase.num_steps for step_s, phase in steps)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    peak = BASE_BYTES + weights * (4 if ema else 3) + measured.activation_bytes
    peak += max(_resident_bytes(plan, phase, packed_size) for phase in plan.phases)
    return Forecast(measured.step_s, watch_s, training_s + watch_s * plan.num_epochs, peak)


def _resident_bytes(plan: Plan, phase: PhasePlan, packed_size: int) -> int:
    channels = 1 if plan.recipe.preprocess.color == "grey" else 3
    return plan.num_images * min(phase.image_size, packed_size) ** 2 * channels
