"""The first signal asks, the second acts, and the handlers of before come back."""

import signal
import threading
from collections.abc import Iterator

import pytest

from thumbnet.training.interrupt import StopSignal

heard: list[int] = []


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Stand in for the handlers of a real program, so that a second signal is only counted."""
    heard.clear()
    before = {
        number: signal.signal(number, lambda number, _frame: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_acts_as_ever(number: int) -> None:
    with StopSignal() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        assert heard == []
        signal.raise_signal(number)
        assert heard == [number]


def test_after_one_signal_the_other_acts_as_ever_too() -> None:
    with StopSignal():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert heard == [signal.SIGINT]


@pytest.mark.parametrize("during", [False, True])
def test_handlers_are_restored_on_leaving(during: bool) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopSignal() as stop:
        assert signal.getsignal(signal.SIGINT) not in before
        if during:
            signal.raise_signal(signal.SIGINT)
    assert stop.requested is during
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_handlers_are_restored_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="inside"), StopSignal():
        raise RuntimeError("inside")
    assert signal.getsignal(signal.SIGINT) == before


def test_beside_the_main_thread_it_changes_nothing() -> None:
    seen: list[object] = []

    def enter() -> None:
        with StopSignal() as stop:
            seen.append(stop.requested)
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [False, before]
    assert signal.getsignal(signal.SIGINT) == before
