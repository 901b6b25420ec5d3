"""The page of a report: whole, self-contained, honest of what is missing, and what is refused."""

import html
import json
import re
import shutil
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tests.cli.driver import QUICK_ENGINE, Thumbnet

from thumbnet.data.packed import PackedDataset
from thumbnet.ensembles.make import make_ensemble
from thumbnet.recipes.registry import load_recipe
from thumbnet.report import page as report_page
from thumbnet.report.measured import Measured
from thumbnet.report.page import make_page, make_pages
from thumbnet.report.pictures import Drawing, fit
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
        "Summary", "Comparison", "Training curves", "Calibration",
        "Best and worst classes", "Confusions", "Gallery and most confident wrong",
        "Hardest images", "First-layer filters", "Environment", "Commands",
    } <= set(headings)  # fmt: skip
    assert page.count("<details>") == 1
    assert "thumbnet replay" in page
    assert "Missing:" not in page
    assert "Published rows" not in page  # of which nothing ran


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
    assert "evaluated on different images" in page
    assert "the best of 2 evaluated on these images" in page
    assert page.count("no clear difference") == 1
    assert page.count("is better") == 0


def test_a_run_without_weights_says_so(run: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "begun"
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns("weights", "results.csv"))
    page = make_page([str(path)])
    read(page)
    assert page.count("Missing:") == 3
    assert "No run could be evaluated" in page


def test_damaged_weights_are_said_on_standard_error(
    run: RunFolder, tmp_path: Path, thumbnet: Thumbnet
) -> None:
    folder = tmp_path / "worn"
    shutil.copytree(run.path, folder)
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    weights = folder / "weights" / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    said = thumbnet("report", folder, "--no-images")
    assert said.status == 0
    (line,) = [line for line in said.err.splitlines() if line.startswith("WARNING: worn: no fig")]
    assert "model.safetensors" in line
    assert "WARNING" not in thumbnet("report", run.path, "--no-images").err


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


@pytest.fixture
def model(run: RunFolder, tmp_path: Path) -> Path:
    """A model folder that lies alone."""
    return Path(shutil.copytree(run.weights("best"), tmp_path / "model"))


def test_a_model_folder_has_all_but_its_training(model: Path, tiny: PackedDataset) -> None:
    page = make_page([str(model)], data=tiny)
    read(page)
    headings = re.findall(r"<h3>([^<]+)</h3>", page)
    assert {"Calibration", "Confusions", "Hardest images", "First-layer filters"} <= set(headings)
    assert "Training curves" not in headings
    assert "model folder; it has no record of its training" in page
    assert "Missing:" not in page
    assert "Published rows" not in page  # of which nothing ran
    assert f"thumbnet evaluate {model}" in page
    assert "thumbnet replay" not in page


def test_an_ensemble_stands_beside_its_members(
    run: RunFolder, model: Path, tiny: PackedDataset
) -> None:
    both = model.with_name("both")
    make_ensemble([str(run.path), str(model)], both, tiny, shares=(3.0, 1.0))
    page = make_page([str(run.path), str(both)], data=tiny, with_images=False)
    read(page)
    assert "ensemble of 2;" in page
    assert "thumbnet_quick, share 0.750" in page
    assert page.count("no clear difference") == 1  # evaluated on the same images, so compared


def test_the_weights_of_a_run_are_named_with_it(run: RunFolder, tiny: PackedDataset) -> None:
    found = [str(run.weights(which)) for which in ("best", "last")]
    page = make_page(found, data=tiny, with_images=False)
    assert page.count(f'">{html.escape(run.name)}, ') == 7  # link, heading, table; a pair's first
    assert "protocol holdout" in page


@pytest.mark.parametrize("kind", ["cut", "no config", "no weights", "no json"])
def test_a_corrupted_model_folder_is_refused(model: Path, thumbnet: Thumbnet, kind: str) -> None:
    config, weights = model / "config.json", model / "model.safetensors"
    if kind == "cut":
        weights.write_bytes(weights.read_bytes()[:-9])
    elif kind == "no json":
        config.write_text("{")
    else:
        (config if kind == "no config" else weights).unlink()
    said = thumbnet("report", model)
    assert said.status == 2
    assert str(model) in said.err.replace("\n", "")
    assert not Path("report.html").exists()


def test_data_of_other_classes_leaves_the_figures_out(model: Path, other: PackedDataset) -> None:
    page = make_page([str(model)], data=other)
    read(page)
    assert "Missing:</strong> no figures" in page
    assert "only the network knows" in page


def test_without_data_it_says_how_to_get_it(
    model: Path, thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(model / "empty"))
    said = thumbnet("report", model)
    assert said.status == 0, said.err
    page = Path("report.html").read_text(encoding="utf-8")
    assert "Missing:</strong> no figures" in page
    assert "thumbnet data fetch" in page
    assert "First-layer filters" in page


def test_runs_share_the_room_for_pictures(
    run: RunFolder, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [str(shutil.copytree(run.path, tmp_path / f"run {i}")) for i in range(2)]
    room = int(1.3 * len(page.encode()))
    monkeypatch.setattr(report_page, "LARGEST", room)
    both = make_page(runs)
    assert len(both.encode()) <= room
    assert both.count("<img ") > 2 * page.count("<img ")  # coarser, all there, and the comparison
    assert "Missing:" not in both


def get(figure: Figure) -> Figure:
    return figure


def test_own_results_come_before_published_rows(run: RunFolder) -> None:
    held = [Measured("vonmartens2019/lenet5", 0, 0.14, 300, "file")]
    page = make_page([str(run.path)], held, with_images=False)
    ids = [one for one in read(page).ids if not one.endswith("-title")]
    assert ids == ["summary", "comparison", "run-1", "rows"]
    rows = page[page.index('id="rows"') :]
    assert rows.count('<th scope="row">') == 1
    page = make_page([str(run.path)], held, with_images=False, all_rows=True)
    assert page[page.index('id="rows"') :].count('<th scope="row">') == 28


def test_keys_that_differ_between_compared_runs_are_a_table(run: RunFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    recipe = other / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("lr: 0.05", "lr: 0.4"))
    told: list[tuple[int, int, str]] = []
    page = make_page([str(run.path), str(other)], with_images=False,
                     progress=lambda *what: told.append(what))  # fmt: skip
    table = page[page.index("Keys that differ") :]
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", table[: table.index("</table>")])
    assert cells[-3:] == ["training.schedule.lr", "0.05", "0.4"]
    assert (2, 2, "reading runs") in told
    assert [one for one in told if one[2] == "drawing pictures"][-1][0] > 5


def test_a_live_page_fills_itself(run: RunFolder) -> None:
    first, *_, last = make_pages([str(run.path)], with_images=False, version=lambda: 7)
    assert "Pictures are being drawn." in first
    assert "Calibration error" in first
    assert "<img" not in first
    assert "Pictures are being drawn." not in last
    assert "<img" in last


def test_pictures_without_room_are_left_out_by_name() -> None:
    figures = [Figure(figsize=(side, side)) for side in (1, 3)]
    for figure in figures:
        figure.subplots().plot([0, 1], [1, 0])
    drawings = [
        Drawing(name, "", partial(get, one)) for name, one in zip("ab", figures, strict=True)
    ]
    fine, missing = fit(drawings, 10**6)
    assert ([one.heading for one in fine], missing) == (["a", "b"], [])
    assert all(one.address.startswith("data:image/svg") for one in fine)
    size = sum(len(one.address) for one in fine)
    coarse, missing = fit(drawings, size - 1)
    assert ([one.heading for one in coarse], missing) == (["a", "b"], [])
    assert all(one.address.startswith("data:image/png") for one in coarse)
    kept, missing = fit(drawings, 3000)
    assert ([one.heading for one in kept], missing) == (["a"], ["b"])
    assert fit(drawings, 1) == ([], ["b", "a"])


def test_text_that_is_too_large_is_refused(
    run: RunFolder, thumbnet: Thumbnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_page, "LARGEST", 1000)
    said = thumbnet("report", run.path)
    assert said.status == 2
    assert "name fewer runs" in said.err
    assert not Path("report.html").exists()
