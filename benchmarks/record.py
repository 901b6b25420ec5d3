"""What the benchmarks share: fresh processes, tables, and the records under results/."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LOOK_EVERY_S = 0.05


def fresh(command: Sequence[str | Path], **environment: str) -> dict[str, Any]:
    """Run a Python command in a process of its own; return the JSON of its last line."""
    words = [sys.executable, *map(str, command)]
    env = {**os.environ, **environment}
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, env=env)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with status {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def watched(command: Sequence[str | Path]) -> tuple[float, float]:
    """Run a Python command; return its wall seconds and the peak resident bytes of its processes.

    Pages of mapped files count too.
    """
    words = [sys.executable, *map(str, command)]
    started, peak = time.perf_counter(), 0.0
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while child.poll() is None:
        peak = max(peak, _resident_bytes(child.pid))
        time.sleep(LOOK_EVERY_S)
    wall_s = time.perf_counter() - started
    if child.returncode:
        sys.exit(f"{' '.join(words)} ended with status {child.returncode}")
    return wall_s, peak


def _resident_bytes(root: int) -> float:
    """Return the resident memory of a process and all below it, from /proc."""
    parents, resident = dict[int, int](), dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            resident[pid] = int((folder / "statm").read_text().split()[1])
        except OSError:  # it has ended meanwhile
            continue
    total, family = 0, {root}
    while family:
        total += sum(resident.get(pid, 0) for pid in family)
        family = {pid for pid, parent in parents.items() if parent in family}
    return float(total * os.sysconf("SC_PAGE_SIZE"))


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def cpu_features() -> list[str]:
    """Return which of the instruction sets that decide the speed of a matrix product are there."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return []
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in words]


def hardware() -> str:
    """Return a name for file names: the GPU, or the processor and its number of cores."""
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        name = f"{cpu_name()} {os.cpu_count()} cores"
    name = re.sub(r"\((r|tm)\)|processor|cpu|@.*?ghz", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")


def machine() -> dict[str, Any]:
    """Return what a figure depends on besides the code measured."""
    import torch

    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "cpu": cpu_name(),
        "cpu_features": cpu_features(),
        "num_cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "thumbnet": version("thumbnet"),
    }


def count_flop(work: Callable[[], object]) -> int:
    """Return the operations of its products and convolutions; a multiply-add counts as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def command() -> str:
    """Return how this benchmark was called, of whole paths only the last part."""
    words = [f"benchmarks/{Path(sys.argv[0]).name}"]
    words += [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["python", *words])


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in markdown: the first column to the left, figures to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def summary(values: Sequence[float], digits: int = 1) -> str:
    """Return median, least and greatest as one cell."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def keep(theme: str, text: str, lines: Sequence[dict[str, Any]], seed: int) -> None:
    """Append a line a measurement to runs.jsonl, and write the dated page.

    Args: lines hold `what` and `figures`, and `seed` where theirs is another
    """
    today, where = date.today(), machine()
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "runs.jsonl").open("a", encoding="utf-8") as file:
        for line in lines:
            entry = {"date": today.isoformat(), "benchmark": f"bench_{theme}", **line}
            file.write(json.dumps({"seed": seed, **entry, **where, "command": command()}) + "\n")
    page = RESULTS / f"{theme}_{hardware()}_{today:%Y%m%d}.md"
    facts = [
        f"- {where['device']}; {where['cpu']}, {where['num_cores']} cores "
        f"({', '.join(where['cpu_features'])}), {where['threads']} threads",
        f"- Python {where['python']}, PyTorch {where['torch']}, thumbnet {where['thumbnet']}",
        f"- `{command()}`, seed {seed}",
    ]
    page.write_text("\n".join([f"# {theme}, {today}", "", *facts, "", text, ""]), encoding="utf-8")
    print(f"\nwritten: {page}")
