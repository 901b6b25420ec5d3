"""Involuntary context switches tell whether others want the processor too."""

import pytest

from thumbnet.training import contention
from thumbnet.training.contention import Contention


def test_switches_a_second_since_the_last_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now, count = [100.0], [7]
    monkeypatch.setattr(contention, "monotonic", lambda: now[0])
    monkeypatch.setattr(contention, "_involuntary_switches", lambda: count[0])
    watch = Contention()
    now[0], count[0] = 102.0, 7 + 20
    assert watch.per_s() == 10
    now[0], count[0] = 103.0, 27 + 150
    assert watch.found()
    now[0] = 104.0
    assert not watch.found()


def test_the_system_counts_them() -> None:
    assert contention._involuntary_switches() >= 0
