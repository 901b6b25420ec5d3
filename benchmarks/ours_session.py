"""The other side of bench_step.py: training through the session, as `thumbnet train` does it.

    python benchmarks/ours_session.py PACKED --recipe vonmartens2019/lenet5 --steps 400

Everything a step needs is on the clock: fetching, preprocessing, augmentation, the update. Judging
is not. Where images are scaled down, that is done when an epoch first asks for them, so the first
epoch is slower than all others; with --later the rate of the second is measured too. It prints
one line of JSON.
"""

import argparse
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from thumbnet import load_dataset, load_recipe, train
from thumbnet.training.events import Event, Started, Stepped


class EnoughError(Exception):
    """All windows are measured."""


class Stopwatch:
    """Measures images per second over `steps` steps, after `warmup` steps of an epoch."""

    def __init__(self, warmup: int, steps: int, later: bool) -> None:
        self.warmup, self.steps, self.later = warmup, steps, later
        self.rates: list[float] = []
        self.picks: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.picks = event.picks
            self.epoch_steps = event.plan.phases[0].steps_per_epoch
            if self.warmup + self.steps > self.epoch_steps:
                raise SystemExit(f"an epoch has {self.epoch_steps} steps; take fewer")
        elif isinstance(event, Stepped) and event.at.epoch <= self.later:
            self._stepped(event.at.step + 1 - event.at.epoch * self.epoch_steps, event)

    def _stepped(self, done: int, event: Stepped) -> None:
        if done == self.warmup:
            self._synchronize()
            self.started, self.first = perf_counter(), event.at.last
        elif done == self.warmup + self.steps:
            self._synchronize()
            images = event.at.last - self.first
            self.rates.append(images / (perf_counter() - self.started))
            if len(self.rates) == 1 + self.later:
                raise EnoughError

    def _synchronize(self) -> None:
        if self.picks["device"].startswith("cuda"):
            torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packed", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--warmup", type=int, default=200, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, default=400, help="steps on the clock")
    parser.add_argument("--later", action="store_true", help="measure the second epoch too")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    watch = Stopwatch(args.warmup, args.steps, args.later)
    with tempfile.TemporaryDirectory() as folder, suppress(EnoughError):
        train(
            load_recipe(args.recipe),
            load_dataset(args.packed),
            out=Path(folder) / "run",
            seed=args.seed,
            device=args.device,
            observers=[watch],
        )
    figures = {"images_per_s": watch.rates[-1], "first_epoch_images_per_s": watch.rates[0]}
    print(json.dumps({**figures, "picks": watch.picks}))


if __name__ == "__main__":
    main()
