"""Threads are tried again where others use the processor, and only there."""

from collections.abc import Callable
from itertools import cycle

import pytest

from thumbnet import threads
from thumbnet.threads import FIRST_RETRY_S, LAST_RETRY_S, Contention, ThreadTuner

STEP_S = (0.1, 0.2)
Speed = Callable[[int], float]  # of a number of threads to the time of a step, in estimates


class Machine:
    """Plays steps; `pace` is the time of a step over the estimate, by the number of threads."""

    def __init__(self, threads: int, most: int, was_busy: bool = False) -> None:
        self.busy, self.now_s = False, 0.0
        self.pace: Speed = lambda threads: 1.0
        self.tuner = ThreadTuner(threads, most, STEP_S, lambda: self.busy, was_busy)

    def run(self, seconds: float, phase: int = 0) -> list[int]:
        """Train for a time, and return the numbers of threads that were used, in order."""
        used, until = [], self.now_s + seconds
        while self.now_s < until:
            threads = self.tuner.threads
            step_s = self.pace(threads) * STEP_S[phase]
            self.now_s += step_s
            if not used or used[-1] != threads:
                used.append(threads)
            self.tuner.stepped(phase, step_s)
        return used


def contended(threads: int) -> float:
    """Two threads wait for each other where one of two cores is busy."""
    return {1: 2.0, 2: 5.0}[threads]


def quiet(threads: int) -> float:
    return {1: 1.9, 2: 1.0}[threads]


def test_a_quiet_machine_keeps_its_threads() -> None:
    machine = Machine(2, 2)
    assert machine.run(300) == [2]
    assert machine.run(300, phase=1) == [2]


def test_slow_steps_alone_try_nothing() -> None:
    """An estimate that is wrong, or a hot processor, is no matter of threads."""
    machine = Machine(2, 2)
    machine.pace = lambda threads: 4.0
    assert machine.run(300) == [2]


def test_a_busy_core_makes_it_one_thread_within_seconds_and_two_again_when_it_is_quiet() -> None:
    machine = Machine(2, 2)
    machine.run(20)
    machine.busy, machine.pace = True, contended
    machine.run(5)
    assert machine.tuner.threads == 1
    used = machine.run(200)
    assert used[-1] == 1  # two are tried now and then, and lose
    assert 1 < used.count(2) < 8
    machine.busy, machine.pace = False, quiet
    machine.run(LAST_RETRY_S + 5)
    assert machine.tuner.threads == 2
    assert machine.run(300) == [2]


def test_trials_that_change_nothing_become_rare_and_cost_little() -> None:
    machine = Machine(2, 2)
    machine.busy, machine.pace = True, lambda threads: 4.0
    assert machine.run(600).count(1) <= 7
    machine = Machine(8, 8)
    machine.busy, machine.pace = True, lambda threads: 3.0 * 8 / threads
    spent = dict.fromkeys((1, 4, 7), 0)
    for num in machine.run(60):
        if num in spent:
            spent[num] += 1
    assert machine.tuner.threads == 8
    assert all(1 <= times <= 5 for times in spent.values())


def test_times_that_jump_about_make_no_flipping() -> None:
    """On a very busy machine now one number is faster by chance, now the other."""
    machine = Machine(2, 2)
    machine.busy, machine.tuner.step_s = True, (0.1,)
    luck = cycle([3.0, 9.0, 4.0, 2.0, 8.0, 5.0, 7.0])
    machine.pace = lambda threads: next(luck)
    assert len(machine.run(600)) <= 2 * 12 + 1


def test_the_fastest_of_several_is_kept() -> None:
    machine = Machine(8, 8)
    machine.busy, machine.pace = True, lambda threads: {8: 4.0, 7: 1.3, 4: 2.0, 1: 8.0}[threads]
    machine.run(FIRST_RETRY_S + 15)
    assert machine.tuner.threads == 7


def test_a_small_gain_is_no_reason_to_change() -> None:
    machine = Machine(2, 2)
    machine.busy, machine.pace = True, lambda threads: {1: 1.9, 2: 2.0}[threads]
    machine.run(30)
    assert machine.tuner.threads == 2


def test_a_run_begun_on_a_busy_machine_takes_more_threads_when_it_is_quiet() -> None:
    machine = Machine(1, 2, was_busy=True)
    machine.pace = lambda threads: {1: 1.0, 2: 0.55}[threads]
    machine.run(FIRST_RETRY_S + 5)
    assert machine.tuner.threads == 2
    chosen_on_a_quiet_one = Machine(1, 2)
    chosen_on_a_quiet_one.pace = machine.pace
    assert chosen_on_a_quiet_one.run(100) == [1]


def test_a_disturbed_step_is_left_out() -> None:
    tuner = ThreadTuner(2, 2, STEP_S, lambda: True)
    for _ in range(200):
        tuner.disturbed()
        assert tuner.stepped(0, 1.0) == 2


def test_another_phase_is_compared_with_its_own_estimate() -> None:
    machine = Machine(2, 2)
    machine.busy = True
    for _ in range(20):
        assert machine.run(2, phase=0) == [2]
        assert machine.run(2, phase=1) == [2]


def test_without_an_estimate_only_a_busy_machine_is_worth_a_trial() -> None:
    for busy in (False, True):
        tuner = ThreadTuner(2, 2, None, lambda busy=busy: busy)  # type: ignore[misc]
        used = [tuner.stepped(0, 0.9 if tuner.threads == 2 else 0.4) for _ in range(12)]
        assert used == [2] * 3 + [1] * 9 if busy else used == [2] * 12


def test_switches_a_second_since_the_last_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now, count = [100.0], [7]
    monkeypatch.setattr(threads, "monotonic", lambda: now[0])
    monkeypatch.setattr(threads, "_involuntary_switches", lambda: count[0])
    watch = Contention()
    now[0], count[0] = 102.0, 7 + 20
    assert watch.per_s() == 10
    now[0], count[0] = 103.0, 27 + 150
    assert watch.found()
    now[0] = 104.0
    assert not watch.found()


def test_the_system_counts_them() -> None:
    assert threads._involuntary_switches() >= 0
