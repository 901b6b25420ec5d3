"""On the real data: a file, its packed copy and the written labels all get the same class."""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.cli.driver import Thumbnet

from thumbnet.inference import data_of, evaluate, load_predictor
from thumbnet.scoring import ranked

TIE = 1e-4  # of the two largest logits: nearer ones may change places between batches


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_predict_and_evaluate_agree_on_all_of_val(
    thumbnet: Thumbnet, real_data: Path, tmp_path: Path
) -> None:
    said = thumbnet("train", "thumbnet/quick", "--data", real_data, "--time-budget", "90s")
    assert said.status == 0
    said = thumbnet("predict", "thumbnet-quick", "--split", "test", "-o", "labels.txt")
    assert said.status == 0

    predictor = load_predictor("thumbnet-quick")
    lines = [line.split(" ") for line in Path("labels.txt").read_text().splitlines()]
    assert len(lines) == 10_000
    assert {name for name, _ in lines} == {f"test_{i}.JPEG" for i in range(10_000)}
    assert {wnid for _, wnid in lines} <= set(predictor.trained.wnids)

    files = _val_files(real_data, tmp_path / "val")
    said = thumbnet("predict", "thumbnet-quick", tmp_path / "val", "-o", "out.csv")
    assert said.status == 0
    rows = csv.DictReader(Path("out.csv").read_text().splitlines())
    by_file = {Path(row["file"]).name: row["wnid1"] for row in rows}
    assert len(by_file) == len(files) == 10_000

    result = evaluate("thumbnet-quick", "val")
    dataset = data_of("thumbnet-quick")
    logits = predictor.split_logits(dataset, "val")
    best = ranked(logits, 2)
    labels = dataset.splits["val"].labels
    assert labels is not None
    assert result.scores.top1 == pytest.approx(float((best[:, 0] == labels).mean()), abs=1e-12)
    rows_of = np.arange(len(best))
    clear = logits[rows_of, best[:, 0]] - logits[rows_of, best[:, 1]] > TIE
    names = [name.decode() for name in dataset.splits["val"].names]
    wrong = [
        name
        for name, index, is_clear in zip(names, best[:, 0], clear, strict=True)
        if is_clear and by_file[name] != dataset.wnids[index]
    ]
    assert wrong == []
    print(f"{int(clear.sum())} of 10,000 images compared, {int((~clear).sum())} near ties")


def _val_files(archive: Path, folder: Path) -> list[Path]:
    folder.mkdir()
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = Path(member.name)
            if member.isfile() and name.name.startswith("val_") and name.suffix == ".JPEG":
                content = tar.extractfile(member)
                assert content is not None
                (folder / name.name).write_bytes(content.read())
    return list(folder.iterdir())
