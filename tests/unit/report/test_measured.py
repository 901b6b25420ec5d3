"""A run that is given and stands in the results file too counts once."""

from dataclasses import replace

from thumbnet.report.measured import Measured, without_repeats

RUN = Measured("thumbnet/quick", 0, 0.45881, 854.2, "runs.jsonl")


def test_the_same_run_counts_once() -> None:
    given = replace(RUN, top1=0.4588, wall_s=854.23, origin="quick")
    assert without_repeats([RUN, given]) == [RUN]


def test_others_all_count() -> None:
    others = [
        RUN,
        replace(RUN, seed=1),
        replace(RUN, top1=0.46),
        replace(RUN, wall_s=900.0),
        replace(RUN, wall_s=None),
        replace(RUN, recipe="thumbnet/lenet5-tuned"),
    ]
    assert without_repeats(others) == others
