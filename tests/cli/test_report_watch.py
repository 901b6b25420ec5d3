"""The live page: it tells of each epoch, to this computer alone, and ends with Ctrl-C."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from tests.challenge.serving import served
from tests.cli.driver import Thumbnet

from thumbnet.errors import DataError
from thumbnet.report import watch
from thumbnet.report.page import make_page
from thumbnet.report.watch import Watched, create_app
from thumbnet.runs import RunFolder
from thumbnet.training.control import sole


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained.path, tmp_path / "quick")))


def end_epoch(run: RunFolder) -> None:
    """Add a line to results.csv, as training does."""
    lines = run.results_file.read_text().splitlines()
    epoch, rest = lines[-1].split(",", 1)
    run.results_file.write_text("\n".join([*lines, f"{int(epoch) + 1},{rest}", ""]))


def wait_for(url: str, start: str) -> str:
    """Ask for a page until it starts with these words."""
    for _ in range(400):
        text = httpx.get(url).text
        if text.startswith(start):
            return text
        sleep(0.05)
    raise AssertionError(f"no page that starts with '{start}'")


class Maker:
    """Makes short pages and counts them."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.fails = False

    def __call__(self, version: Callable[[], int], progress: object) -> Iterator[str]:
        if self.fails:
            raise DataError("the run is gone")
        self.versions.append(version())
        yield f"page {self.versions[-1]}"


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def url(run: RunFolder, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.05)
    with served(create_app(Watched([str(run.path)], maker))) as address:
        yield address


def test_an_epoch_is_told_of_and_makes_one_new_page(url: str, run: RunFolder, maker: Maker) -> None:
    assert "The page is being made" in httpx.get(url).text  # at once
    pages = {httpx.get(f"{url}/page").text for _ in range(3)}
    assert pages == {f"page {version}" for version in maker.versions}
    assert len(maker.versions) == 1
    told = []
    with httpx.stream("GET", f"{url}/events", timeout=20) as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                told.append(int(line[5:]))
                if len(told) == 2:
                    break
                end_epoch(run)
    assert told == [maker.versions[0], maker.versions[0] + 1]
    for path in ("/", "/page"):
        assert httpx.get(url + path).text == f"page {told[1]}"
    assert maker.versions == told


def test_a_page_that_cannot_be_made_leaves_the_old_one(
    url: str, run: RunFolder, maker: Maker
) -> None:
    maker.fails = True
    first = httpx.get(f"{url}/page")
    assert (first.status_code, first.text) == (503, "no page: the run is gone")
    maker.fails = False
    end_epoch(run)
    shown = wait_for(url, "page ")
    maker.fails = True
    end_epoch(run)
    assert httpx.get(url).text == shown


def test_other_names_of_this_computer_and_other_sources_are_shut_out(url: str) -> None:
    assert httpx.get(url, headers={"Host": "elsewhere.example"}).status_code == 400
    policy = httpx.get(url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search("https?:|\\*|unsafe-eval", policy)
    script = httpx.get(f"{url}/watch.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "http" not in script.text


def test_a_run_that_goes_on_is_not_judged(run: RunFolder) -> None:
    shutil.rmtree(run.path / "predictions", ignore_errors=True)
    with sole(run):
        page = make_page([str(run.path)], with_images=False, live=7)
    assert '<body data-version="7">' in page
    assert "it is evaluated when it ends" in page
    assert "; still training" in page
    assert not (run.path / "predictions").exists()
    assert "Training curves" in page


def test_ctrl_c_ends_the_command(run: RunFolder) -> None:
    command = [sys.executable, "-m", "thumbnet", "report", str(run.path), "--watch", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found is not None
        with httpx.stream("GET", f"{found[0]}/events", timeout=30) as answer:
            assert next(answer.iter_lines()) == "event: page"
            begun = monotonic()
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 130
            assert monotonic() - begun < 5  # an open stream does not hold it up
    finally:
        server.kill()
        _, said = server.communicate(timeout=20)
    assert "Traceback" not in said


def test_without_the_servers_packages_it_names_the_extra(
    thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.cli.extras.find_spec", lambda _: None)
    said = thumbnet("report", "--watch")
    assert said.status == 2
    assert "pip install 'thumbnet[server]'" in said.err


def test_what_is_wrong_is_said_before_anything_is_served(
    thumbnet: Thumbnet, run: RunFolder
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = thumbnet("report", run.path, "--watch", "--port", taken.getsockname()[1])
    assert said.status == 2
    assert "choose another with --port" in said.err
    said = thumbnet("report", "nowhere", "--watch", "--port", 0)
    assert said.status == 2
    assert "no run 'nowhere'" in said.err
    said = thumbnet("report", run.path, "--watch", "-o", "a.html")
    assert said.status == 2
    assert "give one of them" in said.err
