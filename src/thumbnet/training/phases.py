"""From a recipe and a number of images to the plan of every step: pure, and known in advance."""

from dataclasses import dataclass
from math import ceil

from thumbnet.errors import RecipeError
from thumbnet.optim.schedules import lr_at
from thumbnet.recipe import AugmentSpec, RecipeSpec, ScheduleSpec


@dataclass(frozen=True)
class StepPlan:
    """What one step does. `epoch` counts passes over all phases; `first`:`last` is its batch."""

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


@dataclass(frozen=True)
class PhasePlan:
    """One phase in steps; `span` is where the phase lies in its schedule, as fractions."""

    first_step: int
    num_steps: int
    first_epoch: int
    steps_per_epoch: int
    image_size: int
    batch_size: int
    augment: tuple[AugmentSpec, ...]
    schedule: ScheduleSpec
    span: tuple[float, float]

    @property
    def num_epochs(self) -> int:
        """Epochs begun in this phase; the last may be cut short."""
        return ceil(self.num_steps / self.steps_per_epoch)


class Plan:
    """The plan of a whole run.

    Raises: RecipeError for a phase that cannot run at its image size
    """

    def __init__(self, recipe: RecipeSpec, num_images: int) -> None:
        self.recipe = recipe
        self.num_images = num_images
        self.phases = _phase_plans(recipe, num_images)

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
        begin, end = phase.span
        fraction = begin + (end - begin) * (inside + 0.5) / phase.num_steps
        epoch = phase.first_epoch + epoch_in_phase
        quirk = self.recipe.quirks.frozen_after_epoch
        return StepPlan(
            step=step,
            phase=number,
            epoch=epoch,
            image_size=phase.image_size,
            lr=lr_at(phase.schedule, fraction),
            first=batch * phase.batch_size,
            last=min((batch + 1) * phase.batch_size, self.num_images),
            ends_epoch=batch + 1 == phase.steps_per_epoch or inside + 1 == phase.num_steps,
            label_smoothing=self.recipe.training.label_smoothing,
            frozen=quirk is not None and epoch >= quirk,
        )


def _phase_plans(recipe: RecipeSpec, num_images: int) -> tuple[PhasePlan, ...]:
    training = recipe.training
    shared = sum(p.epochs for p in recipe.phases if p.schedule is None)
    done, step, epoch = 0.0, 0, 0
    plans: list[PhasePlan] = []
    for spec in recipe.phases:
        batch_size = min(spec.batch_size or training.batch_size, num_images)
        steps_per_epoch = _steps_per_epoch(num_images, batch_size, training.drop_last)
        span = (0.0, 1.0)
        if spec.schedule is None:
            span = (done / shared, min(1.0, (done + spec.epochs) / shared))
            done += spec.epochs
        plan = PhasePlan(
            first_step=step,
            num_steps=max(1, round(spec.epochs * steps_per_epoch)),
            first_epoch=epoch,
            steps_per_epoch=steps_per_epoch,
            image_size=spec.image_size or recipe.preprocess.image_size,
            batch_size=batch_size,
            augment=training.augment if spec.augment is None else spec.augment,
            schedule=spec.schedule or training.schedule,
            span=span,
        )
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
