"""One measurement of bench_start.py, in its fresh process: to the first step, or to open data.

python benchmarks/start_clock.py step PACKED RUN
python benchmarks/start_clock.py open PACKED
"""

import json
import os
import sys
from time import perf_counter


def first_step(packed: str, run: str) -> None:
    """Train as the command does, and leave at the end of the first step."""
    import torch  # noqa: F401

    started = perf_counter()
    from thumbnet.cli.live import LiveTraining
    from thumbnet.cli.main import main
    from thumbnet.training.events import Event, Stepped

    hear = LiveTraining.__call__

    def hear_and_leave(self: LiveTraining, event: Event) -> None:
        hear(self, event)
        if isinstance(event, Stepped):
            print(json.dumps({"s": perf_counter() - started}), flush=True)
            os._exit(0)

    LiveTraining.__call__ = hear_and_leave  # type: ignore[method-assign]
    sys.argv = ["thumbnet", "train", "thumbnet/quick", "--data", packed, "--out", run]
    main()


def open_data(packed: str) -> None:
    """Open a packed set and look at its first image."""
    from thumbnet.data.sources import load_dataset

    started = perf_counter()
    dataset = load_dataset(packed)
    int(dataset.splits["train"].images[0].sum())
    print(json.dumps({"s": perf_counter() - started}))


if __name__ == "__main__":
    {"step": first_step, "open": open_data}[sys.argv[1]](*sys.argv[2:])
