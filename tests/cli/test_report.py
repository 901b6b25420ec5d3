"""The page of a report: whole, self-contained, honest of what is missing, and what is refused."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.recipes.registry import load_recipe
from thumbnet.report.measured import Measured
from thumbnet.report.page import make_page
from thumbnet.report.table import published_rows
from thumbnet.runs import RunFolder
from thumbnet.training.session import train

VOID = {"meta", "link", "img", "br"}
LEADS = {"src", "href", "srcset", "action", "data", "poster"}
HOSTILE = "<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Checks that tags nest, and keeps what they lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.leads: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads += [value or "" for key, value in attrs if key in LEADS]
        self.ids += [value or "" for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def run(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("report") / f"quick {HOSTILE.replace('/', '')}"
    shutil.copytree(trained.path, path)
    return RunFolder(path)


@pytest.fixture(scope="module")
def page(run: RunFolder) -> str:
    return make_page([str(run.path)])


def test_the_page_is_whole_and_leads_nowhere_outside(page: str) -> None:
    reader = read(page)
    assert all(lead.startswith(("data:", "#")) for lead in reader.leads)
    assert {lead[1:] for lead in reader.leads if lead.startswith("#")} <= set(reader.ids)
    assert "script" not in reader.tags
    assert "@import" not in page
    assert "url(" not in page
    assert len(page.encode()) < 5 * 2**20


def test_every_part_is_there(page: str) -> None:
    headings = re.findall(r"<h[23][^>]*>([^<]+)</h[23]>", page)
    assert {
        "Summary", "Published rows", "Comparison", "Training curves", "Calibration",
        "Best and worst classes", "Confusions", "Gallery and most confident wrong",
        "Hardest images", "First-layer filters", "Environment", "Commands",
    } <= set(headings)  # fmt: skip
    assert page.count("<details>") == 1
    assert "thumbnet replay" in page
    assert "Left out" not in page


def test_a_hostile_name_is_text(page: str) -> None:
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_page_without_photographs_has_none(run: RunFolder) -> None:
    bare = make_page([str(run.path)], with_images=False)
    assert "Hardest images" not in bare
    assert "Gallery" not in bare
    assert "Pictures of the data set were left out" in bare


def test_all_published_rows_stand_with_what_was_measured() -> None:
    held = [
        Measured("vonmartens2019/lenet5", 0, 0.14, 300, "file"),
        Measured("vonmartens2019/lenet5", 1, 0.16, 500, "file"),
        Measured("thumbnet/resnet18-tuned", 0, 0.5, None, "file"),
    ]
    rows = {row.recipe.name: row for row in published_rows(held)}
    assert len(rows) == 28
    lenet = rows["vonmartens2019/lenet5"].faithful
    assert lenet is not None
    assert (lenet.top1, lenet.wall_s) == (pytest.approx(0.15), 400)
    assert lenet.spread == pytest.approx(1.4142, abs=1e-3)
    assert [cell.top1 for cell in rows["vonmartens2019/resnet18"].tuned] == [0.5]
    assert rows["vonmartens2019/resnet18-pretrained"].cells == ()
    assert sum(bool(row.cells) for row in rows.values()) == 2


def test_runs_of_other_data_stand_side_by_side_only(
    run: RunFolder, other: PackedDataset, tmp_path: Path, thumbnet: Thumbnet
) -> None:
    again, apart = tmp_path / "again", tmp_path / "apart"
    shutil.copytree(run.path, again)
    train(load_recipe("thumbnet/quick", QUICK_ENGINE).scaled(0.1), other, out=apart)
    page = make_page([str(run.path), str(again), str(apart)], with_images=False)
    read(page)
    assert "judged on different images" in page
    assert page.count("not told apart") == 1
    assert page.count("is better") == 0


def test_a_run_without_weights_says_so(run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "begun"
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns("weights", "results.csv"))
    page = make_page([str(path)])
    read(page)
    assert page.count("Left out") == 3
    assert "No run could be judged" in page


def test_the_command_writes_the_page(run: RunFolder, thumbnet: Thumbnet) -> None:
    said = thumbnet("report", run.path, "--no-images", "-o", "page.html")
    assert said.status == 0, said.err
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "line", ["{", "[]", json.dumps({"benchmark": "train", "what": "x", "seed": 0, "figures": {}})]
)
def test_damaged_results_are_refused(thumbnet: Thumbnet, line: str) -> None:
    Path("bad.jsonl").write_text(f"{line}\n")
    said = thumbnet("report", "--results", "bad.jsonl")
    assert said.status == 2
    assert "damaged in line 1" in said.err
    assert not Path("report.html").exists()


def test_an_unknown_run_is_refused(thumbnet: Thumbnet) -> None:
    said = thumbnet("report", "nowhere")
    assert said.status == 2
    assert "no run 'nowhere'" in said.err
    assert not Path("report.html").exists()
