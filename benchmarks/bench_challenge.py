"""What the challenge's server bears: every figure that was asked of it, beside what is measured.

    python benchmarks/bench_challenge.py --record

Runs the soak tests of the challenge, each in a process of its own, on SQLite and PostgreSQL, and
gathers what they keep of their figures. The whole takes some two hours, of which the memory runs
are forty minutes, and wants an idle machine: latencies count the time spent waiting for a core.

In pieces: `--only quota kills --figures FILE` adds to a file what these pieces measure, and
`--only --figures FILE --record` writes the page of all that is in it, the newest of each figure.
Without --record nothing is written to benchmarks/results.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from record import keep, table

ROOT = Path(__file__).parents[1]
TESTS = "tests/challenge"
PIECES = {
    "quota": f"{TESTS}/test_quota.py",
    "kills": f"{TESTS}/test_kills.py",
    "fuzz": f"{TESTS}/test_app_fuzz.py",
    "load": f"{TESTS}/test_app_load.py",
    "migrations": f"{TESTS}/test_migrations.py",
    "browser": "tests/browser/test_real_job.py",  # needs THUMBNET_DATA
}
VARIABLE = "THUMBNET_FIGURES"


def measure(piece: str, figures: Path) -> bool:
    """Run the soak tests of a piece, which add to the file; return whether all passed."""
    words = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "soak", PIECES[piece]]
    env = {**os.environ, VARIABLE: str(figures.resolve())}
    return subprocess.run(words, cwd=ROOT, env=env, check=False).returncode == 0


def newest(figures: Path) -> list[dict[str, Any]]:
    """Return the newest of each figure in a file, in the order in which they first came."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for line in figures.read_text(encoding="utf-8").splitlines():
        figure = json.loads(line)
        kept[figure["what"], figure["where"]] = figure
    return sorted(kept.values(), key=lambda figure: list(kept).index(first_of(kept, figure)))


def first_of(kept: dict[tuple[str, str], Any], figure: dict[str, Any]) -> tuple[str, str]:
    """Return the key of a figure's first database, so that both stand side by side."""
    return next(key for key in kept if key[0] == figure["what"])


def versions() -> str:
    """Return what serves: the databases and the packages around them."""
    sys.path.insert(0, str(ROOT))
    from tests.challenge.postgres import binaries

    found = [f"SQLite {sqlite3.sqlite_version}"]
    if folder := binaries():
        words = [folder / "postgres", "--version"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        found.append(f"PostgreSQL {said.split()[2]}")
    found += [f"{name} {version(name)}" for name in ("fastapi", "uvicorn", "SQLAlchemy", "psycopg")]
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=list(PIECES), default=list(PIECES))
    parser.add_argument("--figures", type=Path, help="file to add to [a temporary one]")
    parser.add_argument("--note", default="", help="what a reader must know of this run")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = args.figures or Path(folder) / "figures.jsonl"
        failed = [piece for piece in args.only if not measure(piece, figures)]
        found = newest(figures)
    cells = [
        [one["what"], one["where"], one["asked"], one["measured"], "yes" if one["holds"] else "no"]
        for one in found
    ]
    text = (
        "\n\n".join(filter(None, [versions(), args.note]))
        + "\n\n"
        + table(["what", "database", "asked", "measured", "holds"], cells)
    )
    print(text)
    if args.record:
        keep("challenge", text, [{"what": one.pop("what"), "figures": one} for one in found], 0)
    if failed or not all(one["holds"] for one in found):
        sys.exit(f"failed: {', '.join(failed) or 'a figure'}")


if __name__ == "__main__":
    main()
