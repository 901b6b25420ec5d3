"""The text that goes with a bundle: the rules, and how a submission is written."""

from collections.abc import Sequence
from datetime import datetime

from thumbnet.challenge.entities import Rules
from thumbnet.challenge.limits import duration

TEMPLATE = """\
{title}
{line}

{description}images/                 {count:,} images; each is one of {num_classes} classes
classes.csv             class index, wnid and name
manifest.csv            sha256, width and height of each image
sample_submission.csv   a valid submission (the labels are arbitrary)

Your task: {task}

Rules
-----
- Open from {opens} to {closes}, unless the server's
  rules page shows other dates. Other rules may change as well; the rules page has them.
- {quota}{most} A file with errors
  uses no slot.
- The board scores {public:.0%} of the images, the same ones for all teams; which ones is secret.
  The final ranking uses only the other images, and is shown at the end.
- {shown}

How to write a submission
-------------------------
One line per image: file name and predicted class, in any order and in one of these forms:

    {name} {wnids}
    {name},{wnids_comma}

UTF-8 text, up to 1 MiB; comma or semicolon; with or without a header line that begins
with `image`; cells may be quoted. {words}
List every image exactly once.

Check it before you submit it; this needs no network and uses no slot:

    thumbnet submit FILE --check --data THIS_ZIP
"""


def readme(rules: Rules, count: int, wnids: Sequence[str], class_names: Sequence[str]) -> str:
    """Write README.txt of a bundle."""
    five = rules.metric == "top5"
    example = [wnids[rank % len(wnids)] for rank in range(5 if five else 1)]
    named = f"You may write the class name instead of its id ({class_names[0]!r})"
    return TEMPLATE.format(
        title=rules.name,
        line="=" * len(rules.name),
        description=f"{rules.description.strip()}\n\n" if rules.description.strip() else "",
        count=count,
        num_classes=len(wnids),
        task="name five different classes for each image; one of them should be right."
        if five
        else "name the class of each image.",
        opens=_moment(rules.opens),
        closes=_moment(rules.closes),
        quota=f"Each team may submit again {duration(rules.quota)} after its last entry."
        if rules.quota
        else "Each team may submit at any time.",
        most=f" Each team has {rules.max_entries} entries\n  in all." if rules.max_entries else "",
        public=rules.public_share,
        shown=_shown(rules),
        name="image_00001.png",
        wnids=" ".join(example),
        wnids_comma=",".join(example),
        words=f"{named},\nif no other class has that name.",
    )


def _shown(rules: Rules) -> str:
    if rules.ladder:
        return (
            f"Your score changes only when an entry is at least {100 * rules.ladder_step:g} points "
            "better than your best.\n  Otherwise your best is shown again."
        )
    if rules.rounding > 0:
        return f"Scores are rounded to {100 * rules.rounding:g} points."
    return "Scores are not rounded."


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
