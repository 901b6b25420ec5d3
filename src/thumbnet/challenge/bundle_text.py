"""The text that goes with a bundle: the rules, and how a submission is written."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from thumbnet.challenge.entities import Rules

TEMPLATE = """\
{title}
{line}

{description}images/                 {count:,} images; each is one of {num_classes} classes
classes.csv             class index, wnid and name
manifest.csv            sha256, width and height of each image
sample_submission.csv   a valid submission (with no merit)

Your task: {task}

Rules
-----
- Open from {opens} to {closes}, unless the server's
  rules page names other dates.
- One entry every {quota}, at any time of day{most}. A file that cannot be
  read costs none.
- The board counts {public:.0%} of the images, the same for all, which nobody is told.
  The final ranking counts the others, and is shown at the end.
- {shown}

How a submission is written
---------------------------
One line an image, in any order, in one of these forms:

    {name} {wnids}
    {name},{wnids_comma}

UTF-8 text, up to 1 MiB; comma or semicolon; with or without a header line that begins
with `image`; cells may be quoted. {words}
Every image must stand in it once.

Check it before you send it; this needs no network and costs no entry:

    thumbnet submit FILE --check --data THIS_ZIP
"""


def readme(rules: Rules, count: int, wnids: Sequence[str], class_names: Sequence[str]) -> str:
    """Write README.txt of a bundle."""
    five = rules.metric == "top5"
    example = [wnids[rank % len(wnids)] for rank in range(5 if five else 1)]
    named = f"In place of a wnid its class name will do ({class_names[0]!r})"
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
        quota=_span(rules.quota),
        most=f", {rules.max_entries} in all" if rules.max_entries else "",
        public=rules.public_share,
        shown=_shown(rules),
        name="image_00001.png",
        wnids=" ".join(example),
        wnids_comma=",".join(example),
        words=f"{named},\nwhere no other class has that name.",
    )


def _shown(rules: Rules) -> str:
    if rules.ladder:
        return (
            "Your shown score changes only where an entry is better than it by "
            f"{100 * rules.ladder_step:g} points at\n  least (Ladder); else it is shown again."
        )
    if rules.rounding > 0:
        return f"The board shows scores in steps of {100 * rules.rounding:g} points."
    return "The board shows scores unrounded."


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes % 60 or not minutes:
        return f"{minutes} minutes"
    return "hour" if minutes == 60 else f"{minutes // 60} hours"
