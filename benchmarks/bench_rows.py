"""What every published and every tuned row takes on this machine: images a second, time, memory.

    python benchmarks/bench_rows.py --data tiny-imagenet-200.zip --record

A few real steps of each row are timed, as `thumbnet reproduce --dry-run` does; nothing is trained.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from record import keep, table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="as thumbnet train takes it")
    parser.add_argument("--device", help="cpu or cuda [the fastest]")
    parser.add_argument("--rows", nargs="+", help="only these recipes")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results")
    args = parser.parse_args()

    from thumbnet.cli.duration import format_duration
    from thumbnet.data.sources import load_dataset
    from thumbnet.recipes.registry import load_recipe, recipe_names
    from thumbnet.reproduce import foretell_row

    dataset, lines, cells = load_dataset(args.data), list[dict[str, Any]](), list[list[str]]()
    for name in args.rows or recipe_names():
        recipe = load_recipe(name)
        # The speed of pretrained weights is that of others.
        model = recipe.model.model_copy(update={"pretrained": False})
        row = foretell_row(recipe.model_copy(update={"model": model}), dataset, args.device)
        claim = recipe.published
        figures = {
            "images_per_s": round(row.images_per_s, 1),
            "total_s": round(row.total_s),
            "peak_bytes": round(row.peak_bytes),
            "runs": len(row.members),
            "epochs": recipe.num_epochs,
            "engine": vars(row.picks),
        }
        lines.append({"what": f"forecast of {name}", "figures": figures})
        cells.append(
            [
                name,
                recipe.model.name,
                f"{recipe.num_epochs:g}",
                f"{row.images_per_s:,.0f}",
                format_duration(row.total_s),
                f"{row.peak_bytes / 1e9:.1f}",
                row.picks.precision,
                f"{claim.hours:g} h, {claim.hardware}" if claim and claim.hours else "",
            ]
        )
        print(f"{name}: {row.images_per_s:,.0f} images/s", file=sys.stderr, flush=True)
    columns = ["recipe", "network", "epochs", "images/s", "whole row", "GB", "precision",
               "published time"]  # fmt: skip
    text = table(columns, cells)
    print(text)
    if args.record:
        keep("rows", text, lines, seed=0)


if __name__ == "__main__":
    main()
