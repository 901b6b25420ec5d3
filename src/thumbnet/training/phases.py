"""From a recipe and a number of images to the plan of every step: pure, and known in advance."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from math import ceil

from thumbnet.errors import RecipeError
from thumbnet.optim.schedules import Moment, lr_at
from thumbnet.recipe import (
    AugmentSpec,
    CyclicSpec,
    MixSpec,
    OptimizerSpec,
    RecipeSpec,
    ScheduleSpec,
)


@dataclass(frozen=True)
class StepPlan:
    """What one step does. `epoch` counts passes over all phases; `first`:`last` is its batch.

    `snapshot` is the number under which the weights are kept after it; 0 keeps none.
    """

    step: int
    phase: int
    epoch: int
    image_size: int
    lr: float
    first: int
    last: int
    ends_epoch: bool
    label_smoothing: float
    frozen: bool
    mix: tuple[MixSpec, ...] = ()
    freeze: tuple[str, ...] = ()
    snapshot: int = 0


@dataclass(frozen=True)
class PhasePlan:
    """One phase in steps.

    `knots` are (step of the phase, fraction of the schedule's span), joined by lines; `lead` is
    how many steps and epochs of the same schedule lie before the phase.
    """

    first_step: int
    num_steps: int
    first_epoch: int
    steps_per_epoch: int
    image_size: int
    input_size: int
    batch_size: int
    augment: tuple[AugmentSpec, ...]
    mix: tuple[MixSpec, ...]
    label_smoothing: float
    schedule: ScheduleSpec
    optimizer: OptimizerSpec
    fresh_optimizer: bool
    from_best: bool
    own_schedule: bool
    freeze: tuple[str, ...]
    knots: tuple[tuple[int, float], ...]
    lead: tuple[int, float]

    @property
    def num_epochs(self) -> int:
        """Epochs begun in this phase; the last may be cut short."""
        return ceil(self.num_steps / self.steps_per_epoch)

    def fraction(self, inside: float) -> float:
        """Return the part of the schedule's span done after `inside` steps of the phase."""
        at = min(
            max(1, bisect_right([step for step, _ in self.knots], inside)), len(self.knots) - 1
        )
        (step, low), (next_step, high) = self.knots[at - 1], self.knots[at]
        return low + (high - low) * (inside - step) / (next_step - step)

    def cycles(self, inside: int) -> int:
        """Return how many cycles of a cyclic schedule end within `inside` steps of the phase."""
        if not isinstance(self.schedule, CyclicSpec):
            return 0
        length, before = 2 * self.schedule.half_steps, self.lead[0]
        return (before + inside) // length - before // length

    def moment(self, inside: int) -> Moment:
        """Return where a step of the phase lies in its schedule."""
        steps, epochs = self.lead
        epoch = epochs + inside / self.steps_per_epoch
        return Moment(self.fraction(inside + 0.5), steps + inside, epoch)


class Plan:
    """The plan of a whole run.

    Raises: RecipeError for a phase that cannot run at its image size
    """

    def __init__(
        self, recipe: RecipeSpec, num_images: int, phases: tuple[PhasePlan, ...] | None = None
    ) -> None:
        self.recipe = recipe
        self.num_images = num_images
        self.phases = phases or _phase_plans(recipe, num_images)

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""
        return self.phases[-1].first_step + self.phases[-1].num_steps

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole run, those cut short included."""
        return self.phases[-1].first_epoch + self.phases[-1].num_epochs

    def phase_of(self, step: int) -> int:
        """Return the position of the phase that holds this step."""
        return max(i for i, phase in enumerate(self.phases) if phase.first_step <= step)

    def at(self, step: int) -> StepPlan:
        """Return what step `step` does, 0 <= step < num_steps."""
        number = self.phase_of(step)
        phase = self.phases[number]
        inside = step - phase.first_step
        epoch_in_phase, batch = divmod(inside, phase.steps_per_epoch)
        epoch = phase.first_epoch + epoch_in_phase
        quirk = self.recipe.quirks.frozen_after_epoch
        return StepPlan(
            step=step,
            phase=number,
            epoch=epoch,
            image_size=phase.image_size,
            lr=lr_at(phase.schedule, phase.moment(inside)),
            first=batch * phase.batch_size,
            last=min((batch + 1) * phase.batch_size, self.num_images),
            ends_epoch=batch + 1 == phase.steps_per_epoch or inside + 1 == phase.num_steps,
            label_smoothing=phase.label_smoothing,
            frozen=quirk is not None and epoch >= quirk,
            mix=phase.mix,
            freeze=phase.freeze,
            snapshot=self._snapshot_after(number, inside),
        )

    def _snapshot_after(self, number: int, inside: int) -> int:
        """Return the number of the snapshot after a step of a phase; 0 where none is kept.

        They count from 1 through the whole run. Source: arXiv:1704.00109
        """
        phase, kind = self.phases[number], self.recipe.training.snapshots
        if kind == "phase":
            return number + 1 if inside + 1 == phase.num_steps else 0
        if kind is None or phase.cycles(inside + 1) == phase.cycles(inside):
            return 0
        before = sum(earlier.cycles(earlier.num_steps) for earlier in self.phases[:number])
        return before + phase.cycles(inside + 1)

    def with_epochs(self, epochs: float, step: int) -> "Plan":
        """Return the plan with another number of epochs in all, from step `step` on.

        The last phase gets longer or shorter; the rest of its schedule is stretched over what is
        left of it, so that the learning rate does not leap.

        Raises: RecipeError where so many epochs are over already
        """
        last = self.phases[-1]
        num_steps = round((epochs - last.first_epoch) * last.steps_per_epoch)
        inside = max(0, step - last.first_step)
        if num_steps <= inside:
            least = last.first_epoch + (inside + 1) / last.steps_per_epoch
            raise RecipeError(
                f"epochs={epochs:g} is too few: {self._done(inside)}; give more than {least:.2f}"
            )
        knots = [knot for knot in last.knots if knot[0] < inside]
        if inside or not knots:
            knots.append((inside, last.fraction(inside)))
        end = last.knots[-1][1]
        phase = replace(last, num_steps=num_steps, knots=(*knots, (num_steps, end)))
        return Plan(self.recipe, self.num_images, (*self.phases[:-1], phase))

    def _done(self, inside: int) -> str:
        """Say which epochs cannot be taken back after `inside` steps of the last phase."""
        last, num = self.phases[-1], len(self.phases)
        if inside or num == 1:
            return f"{last.first_epoch + inside / last.steps_per_epoch:.2f} are trained already"
        earlier = "phase 1 takes" if num == 2 else f"phases 1 to {num - 1} take"
        return f"{earlier} {last.first_epoch} epochs and only the last phase can change"


def _phase_plans(recipe: RecipeSpec, num_images: int) -> tuple[PhasePlan, ...]:
    training, preprocess = recipe.training, recipe.preprocess
    shared = sum(p.epochs for p in recipe.phases if p.schedule is None)
    done, steps_done, step, epoch = 0.0, 0, 0, 0
    optimizer = recipe.optimizer
    plans: list[PhasePlan] = []
    for spec in recipe.phases:
        batch_size = min(spec.batch_size or training.batch_size, num_images)
        steps_per_epoch = _steps_per_epoch(num_images, batch_size, training.drop_last)
        steps_per_epoch = min(steps_per_epoch, spec.steps_per_epoch or steps_per_epoch)
        num_steps = max(1, round(spec.epochs * steps_per_epoch))
        span, lead = (0.0, 1.0), (0, 0.0)
        if spec.schedule is None:
            span, lead = (
                (done / shared, min(1.0, (done + spec.epochs) / shared)),
                (steps_done, done),
            )
            done, steps_done = done + spec.epochs, steps_done + num_steps
        wanted, size = spec.optimizer or recipe.optimizer, spec.image_size or preprocess.image_size
        smoothing = spec.label_smoothing
        plan = PhasePlan(
            first_step=step,
            num_steps=num_steps,
            first_epoch=epoch,
            steps_per_epoch=steps_per_epoch,
            image_size=size,
            input_size=preprocess.crop or size,
            batch_size=batch_size,
            augment=training.augment if spec.augment is None else spec.augment,
            mix=training.mix if spec.mix is None else spec.mix,
            label_smoothing=training.label_smoothing if smoothing is None else smoothing,
            schedule=spec.schedule or training.schedule,
            optimizer=wanted,
            fresh_optimizer=wanted != optimizer or spec.start_from == "best",
            from_best=spec.start_from == "best",
            own_schedule=spec.schedule is not None,
            freeze=spec.freeze,
            knots=((0, span[0]), (num_steps, span[1])),
            lead=lead,
        )
        optimizer = wanted
        plans.append(plan)
        step += plan.num_steps
        epoch += plan.num_epochs
    return tuple(plans)


def _steps_per_epoch(num_images: int, batch_size: int, drop_last: bool) -> int:
    if num_images < 2:
        raise RecipeError(f"{num_images} image to fit; training needs at least 2")
    whole, rest = divmod(num_images, batch_size)
    # A batch of one image has no spread for batch norm to divide by: it is left out.
    return whole if drop_last or rest < 2 else whole + 1
