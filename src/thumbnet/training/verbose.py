"""Progress of a run as plain lines, for a notebook or a script."""

from thumbnet.training.events import Ended, EpochEnded, Event, Handled, Slow, Started
from thumbnet.training.recorder import describe_act, describe_row, describe_slow


class PrintedLines:
    """An observer that prints a line when a run starts, at each epoch, and when it ends."""

    def __call__(self, event: Event) -> None:
        """Print the line of one event; a step has none."""
        line = self._line(event)
        if line:
            print(line, flush=True)

    def _line(self, event: Event) -> str | None:
        match event:
            case Started(run=run, plan=plan, step=step):
                where = f", from step {step}" if step else ""
                return (
                    f"{run}: {plan.recipe.model.name}, {plan.num_images:,} images, "
                    f"{plan.num_steps:,} steps{where}"
                )
            case EpochEnded(row=row, is_best=is_best):
                return describe_row(row) + ("  best" if is_best else "")
            case Handled(kind=kind) if kind not in ("skip", "threads"):
                return describe_act(event)
            case Slow():
                return f"WARNING: {describe_slow(event)}"
            case Ended():
                return (
                    f"{event.reason} after {event.wall_s:.0f} s: best holdout top-1 "
                    f"{100 * event.best_top1:.2f} % after epoch {event.best_epoch}"
                )
        return None
