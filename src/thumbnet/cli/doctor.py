"""`thumbnet doctor`: what this machine can do, which versions, and where the data is."""

import platform
from pathlib import Path
from typing import Annotated

import typer

from thumbnet.cli.output import print_facts
from thumbnet.cli.train import DataOption
from thumbnet.version import __version__

FIRST_SIDE = 128
QUICK_S = 0.05


def doctor(
    data: DataOption = None,
    size: Annotated[int, typer.Option(help="The largest side of the matrices multiplied.")] = 2048,
) -> None:
    """Show what this machine can do, versions, and where the data is."""
    import numpy
    import PIL
    import torch

    from thumbnet.data.cache import cache_dir
    from thumbnet.memory import keep_freed_memory
    from thumbnet.training.engine import find_device

    keep_freed_memory()
    versions = f"{torch.__version__}, numpy {numpy.__version__}, Pillow {PIL.__version__}"
    rates = {
        f"matrix product, {name}": f"{_matrix_rate(size, dtype):.3g} GFLOP/s"
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    facts = {
        "thumbnet": __version__,
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "torch": versions,
        "device": f"{find_device(None)}, {torch.get_num_threads()} CPU threads",
        **rates,
        "data": _describe_data(data),
        "cache": str(cache_dir()),
        "runs": str(Path("runs").absolute()),
    }
    print_facts(facts.items())


def _matrix_rate(size: int, dtype: object) -> float:
    """Return the median rate of a square matrix product, in GFLOP/s.

    The side grows up to `size` for as long as a product is quick: a processor without bf16 needs
    a thousand times as long for it as for fp32.
    """
    from statistics import median

    side = min(FIRST_SIDE, size)
    while side < size and _product_s(side, dtype) < QUICK_S:
        side = min(2 * side, size)
    return float(2 * side**3 / median(_product_s(side, dtype) for _ in range(5)) / 1e9)


def _product_s(side: int, dtype: object) -> float:
    """Return the seconds of one product."""
    from time import perf_counter

    import torch

    from thumbnet.training.engine import find_device

    a = torch.randn(side, side, device=find_device(None)).to(dtype)  # type: ignore[call-overload]
    started = perf_counter()
    (a @ a).sum().item()
    return perf_counter() - started


def _describe_data(data: Path | None) -> str:
    from thumbnet.data.packed import is_packed, open_packed
    from thumbnet.data.sources import locate

    found = locate(data)
    if found is None:
        return "not found; `thumbnet data fetch` downloads it, `thumbnet data synth` draws some"
    if not is_packed(found):
        return f"{found} (not packed yet)"
    dataset = open_packed(found)
    counts = ", ".join(f"{len(s.images)} {name}" for name, s in dataset.splits.items())
    return f"{found}: {dataset.num_classes} classes, {counts}"
