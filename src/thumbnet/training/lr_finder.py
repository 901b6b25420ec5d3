"""Find a learning rate: a sweep of growing rates, then short runs that confirm one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from thumbnet.build import build_model, build_preprocess, resolve
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol
from thumbnet.errors import RecipeError
from thumbnet.recipe import RecipeSpec
from thumbnet.training.engine import Engine
from thumbnet.training.feed import Feed
from thumbnet.training.foretell import foretell
from thumbnet.training.job import new_state
from thumbnet.training.step import seed_step, train_step

MEMORY = 0.9  # of the running loss that a step keeps
WINDOW = 0.02  # of the steps: the deviation of the bell that the drawn curve is smoothed by
DIVERGED = 3.0  # smoothed loss above its least, in times of what has been gained
NUM_TRIALS = 5  # besides the recipe's own rate
WARM_UP, DECAY = 0.25, 0.5  # of a trial's steps: the rate grows from a tenth, and falls to none
FINAL = 0.25  # of a trial's steps, over which its final loss is a mean
SURE = 3.0  # standard errors that the loss must have fallen by
SAFE = 0.5  # of the lowest rate at which the loss rose: no higher one is suggested

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Trial:
    """A short run at one learning rate; `final` is its final loss, None where it overflowed."""

    lr: float
    final: float | None
    error: float = 0.0


@dataclass(frozen=True)
class Sweep:
    """Losses by learning rate, and the short runs that were tried after it.

    `steepest` is where the smoothed loss falls fastest, `last` the rate at which it had risen too
    far, None where it never did. `suggested` is the rate of the best trial, None where in no trial
    the loss fell for sure. `start` is the loss before training, with its standard error.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float
    last: float | None
    start: tuple[float, float]
    trials: tuple[Trial, ...] = ()

    @property
    def suggested(self) -> float | None:
        """The rate of the lowest final loss, at most half of the lowest at which the loss rose."""
        start, error = self.start
        ends = {one.lr: math.inf if one.final is None else one.final for one in self.trials}
        rose = min((lr for lr, final in ends.items() if final > start), default=math.inf)
        sound = [one for one in self.trials if one.lr <= SAFE * rose]
        best = min(sound, key=lambda one: ends[one.lr], default=None)
        if best is None:
            return None
        fell = start - ends[best.lr] > SURE * math.hypot(error, best.error)
        return best.lr if fell else None


def find_lr(
    recipe: RecipeSpec,
    dataset: PackedDataset,
    lowest: float = 1e-4,
    highest: float = 10.0,
    num_steps: int = 120,
    trial_steps: int = 40,
    device: str | None = None,
    progress: Progress | None = None,
    announce: Callable[[float], None] | None = None,
) -> Sweep:
    """Sweep growing learning rates with a fresh network, then try some of them in short runs.

    All start from the same weights; images, augmentation and optimizer are those of the recipe's
    first phase. Nothing is kept.

    Args: announce: is called with the estimated seconds before the first step
    Raises: RecipeError unless 0 < lowest < highest, num_steps and trial_steps are at least 20
    Source: the sweep: Smith 2015, arXiv:1506.01186, section 3.3
    """
    if not 0 < lowest < highest or not math.isfinite(highest):
        raise RecipeError(
            f"learning rates from {lowest:g} to {highest:g}: the first must be above 0 and below "
            "the second"
        )
    if min(num_steps, trial_steps) < 20:
        few = min(num_steps, trial_steps)
        raise RecipeError(f"{few} steps are too few for a curve; take at least 20")
    recipe = resolve(recipe, dataset)
    runner = _Runner(recipe, dataset, device)
    if announce is not None:
        announce(runner.step_s * (num_steps + (NUM_TRIALS + 1) * trial_steps))
    rates = np.geomspace(lowest, highest, num_steps).tolist()
    losses, last = runner.run(rates, "sweep of learning rates", progress, ends_early=True)
    sweep = _sweep(rates[: len(losses)], losses, last)
    planned = (recipe.phases[0].schedule or recipe.training.schedule).lr
    trials = []
    for lr in candidates(sweep, planned):
        own, stopped = runner.run(_schedule(lr, trial_steps), f"short run at {lr:.2g}", progress)
        final = own[-round(FINAL * trial_steps) :]
        trials.append(Trial(lr, *_mean(final)) if stopped is None else Trial(lr, None))
    return replace(sweep, trials=tuple(trials))


def candidates(sweep: Sweep, planned: float) -> list[float]:
    """Return the rates to try: from where the loss falls fastest to the last, and the recipe's."""
    top = max(sweep.rates[-1] if sweep.last is None else sweep.last, 2 * sweep.steepest)
    tried = [float(f"{lr:.2g}") for lr in np.geomspace(sweep.steepest, top, NUM_TRIALS)]
    return sorted({*tried, planned})


def _schedule(lr: float, num_steps: int) -> list[float]:
    """Return the rates of a short run: as in a whole training, it warms up and decays.

    At a constant rate a short run would end best at too low a rate.
    """
    up, down = round(WARM_UP * num_steps), round(DECAY * num_steps)
    shares = [
        *np.linspace(0.1, 1, up, endpoint=False),
        *np.ones(num_steps - up - down),
        *np.linspace(1, 0, down, endpoint=False),
    ]
    return [lr * float(share) for share in shares]


class _Runner:
    """Takes steps of a fresh network, always from the same start."""

    def __init__(self, recipe: RecipeSpec, dataset: PackedDataset, device: str | None) -> None:
        self.recipe, self.dataset = recipe, dataset
        self.told = foretell(recipe, dataset, device, self._fresh())
        self.engine = Engine(self.told.measured.picks)
        self.step_s = self.told.measured.step_s[0]

    def _fresh(self) -> torch.nn.Module:
        torch.manual_seed(self.recipe.training.seed)
        return build_model(self.recipe)

    def run(
        self,
        rates: Sequence[float],
        what: str,
        progress: Progress | None,
        ends_early: bool = False,
    ) -> tuple[list[float], float | None]:
        """Take a step at each rate; return the losses, and the rate that it stopped at.

        Args: ends_early: stop also where the smoothed loss has risen too far
        """
        plan, engine, seed = self.told.plan, self.engine, self.recipe.training.seed
        state = new_state(self.recipe, self._fresh(), engine, plan)
        state.model.train()
        fit = apply_protocol(self.dataset, self.recipe.data.protocol).fit
        preprocess = build_preprocess(self.recipe.preprocess, self.dataset)
        feed = Feed(self.dataset, fit, preprocess, plan, engine.device)
        losses, running, mean = list[float](), list[float](), 0.0
        with engine.threads():
            for step, lr in enumerate(rates):
                at = replace(plan.at(step % plan.phases[0].num_steps), lr=lr)
                seed_step(seed, step, engine.device)
                images, labels, mix = feed.batch(at)
                loss = float(
                    train_step(state, images, labels, at, engine, mix, weights=feed.weights)
                )
                if not math.isfinite(loss):
                    return losses, lr
                mean = MEMORY * mean + (1 - MEMORY) * loss
                losses.append(loss)
                running.append(mean / (1 - MEMORY ** (step + 1)))
                if progress is not None:
                    progress(step + 1, len(rates), what)
                if ends_early and _has_diverged(running):
                    return losses, lr
        return losses, None


def _mean(losses: Sequence[float]) -> tuple[float, float]:
    """Return the mean of some losses and its standard error."""
    return float(np.mean(losses)), float(np.std(losses, ddof=1) / len(losses) ** 0.5)


def _has_diverged(running: list[float]) -> bool:
    gained = running[0] - min(running)
    return running[-1] - min(running) > max(DIVERGED * gained, 0.5)


def _sweep(rates: Sequence[float], losses: Sequence[float], last: float | None) -> Sweep:
    """Find the steepest fall of the smoothed loss before it is least.

    Raises: RecipeError where the loss was not finite from the start
    """
    if len(rates) < 5:
        raise RecipeError(
            f"the loss is not finite at a learning rate of {last or 0:g} already; begin lower "
            "(--from)"
        )
    places = np.arange(len(losses))
    bell = np.exp(-0.5 * ((places[:, None] - places) / max(1.0, WINDOW * len(losses))) ** 2)
    smoothed = bell @ np.minimum(losses, 2 * losses[0]) / bell.sum(1)
    until = max(3, int(np.argmin(smoothed)) + 1)
    falls = np.gradient(smoothed[:until], np.log(rates[:until]))
    steepest, start = rates[int(np.argmin(falls))], _mean(losses[: max(5, len(losses) // 12)])
    return Sweep(tuple(rates), tuple(losses), tuple(smoothed.tolist()), steepest, last, start)
