"""Processes that upload at once, and one that uploads until it is killed."""

import multiprocessing
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.connection import Connection

from tests.challenge.world import START, HandClock

from thumbnet.challenge.entities import Receipt, Team
from thumbnet.challenge.store import Store


def upload_at_once(store: Store, team: Team, files: list[bytes]) -> Counter[str]:
    """Submit all files from a thread each, at the same moment; count the outcomes."""
    outcomes: Counter[str] = Counter()
    ready, lock = threading.Barrier(len(files)), threading.Lock()

    def upload(content: bytes) -> None:
        ready.wait()
        outcome = store.submit(team, content)
        with lock:
            outcomes["accepted" if isinstance(outcome, Receipt) else outcome.reason] += 1

    threads = [threading.Thread(target=upload, args=(content,)) for content in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def serve_races(url: str, pipe: Connection) -> None:
    """Answer each (time, team, files) with the outcomes; runs in a process of its own."""
    clock = HandClock()
    store = Store(url, clock)
    while (asked := pipe.recv()) is not None:
        clock.now, team, files = asked
        pipe.send(upload_at_once(store, team, files))
    store.close()


@contextmanager
def racers(url: str, count: int) -> Iterator[list[Connection]]:
    """Start processes, each with the database open for itself."""
    context = multiprocessing.get_context("spawn")
    ends = []
    processes = []
    for _ in range(count):
        own, theirs = context.Pipe()
        process = context.Process(target=serve_races, args=(url, theirs))
        process.start()
        ends.append(own)
        processes.append(process)
    try:
        yield ends
    finally:
        for end in ends:
            end.send(None)
        for process in processes:
            process.join()


def upload_until_killed(url: str, begin_s: int, wnids: list[str], names: list[str]) -> None:
    """Submit once a second of a clock of our own, and print each receipt when it is given."""
    clock = HandClock(START + timedelta(seconds=begin_s))
    store = Store(url, clock)
    teams = store.teams()
    while True:
        clock.step(seconds=1)
        moment: datetime = clock.now
        shift = int(moment.timestamp()) % len(wnids)
        text = "".join(f"{name} {wnids[(shift + i) % 4]}\n" for i, name in enumerate(names))
        outcome = store.submit(teams[shift % len(teams)], text.encode())
        assert isinstance(outcome, Receipt), outcome
        print(outcome.entry.id, outcome.entry.sha256, flush=True)


if __name__ == "__main__":
    upload_until_killed(sys.argv[1], int(sys.argv[2]), sys.argv[3].split(), sys.argv[4].split())
