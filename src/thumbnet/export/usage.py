"""How to use an exported folder, in commands and in Python that run as they stand."""

import shlex

from thumbnet.model_folder import TrainedModel

COMMANDS = """\
```sh
thumbnet predict {folder} image.jpg
thumbnet evaluate {folder} --split {split} --data {data}
```

`{data}` stands for the data described above: its archive, its folder, or what
`thumbnet data prepare` made of it."""

PYTHON = """\
```python
from pathlib import Path

from thumbnet import load_predictor

predictor = load_predictor("{name}")
for guess in predictor.predict([Path("image.jpg")])[0]:
    print(guess.wnid, guess.class_name, f"{{guess.prob:.3f}}")
```"""

ONNX_COMMANDS = """\
```sh
thumbnet predict {folder} --onnx image.jpg
```"""

ONNX_PYTHON = """\
```python
import json

import numpy as np
import onnxruntime
from PIL import Image

with open("{name}/config.json", encoding="utf-8") as file:
    config = json.load(file)
session = onnxruntime.InferenceSession("{name}/model.onnx")
image = Image.open("image.jpg").convert("RGB").resize(({size}, {size}), Image.Resampling.BICUBIC)
logits = session.run(None, {{"images": np.array(image)[None]}})[0][0]
print(config["label_names"][logits.argmax()])
```"""


def usage(name: str, trained: TrainedModel, data: str, split: str, *, with_onnx: bool) -> str:
    """Return the section that shows how to use the folder from where it lies.

    Args: data, split: the name of the data and the split that the card reports
    """
    parts = [
        "## Use",
        "From the command line, in the folder that holds this one:",
        COMMANDS,
        "From Python:",
        PYTHON,
    ]
    if with_onnx:
        parts += [
            "The ONNX graph, with the same decoding of files:",
            ONNX_COMMANDS,
            "Or without thumbnet; images that are not square are cropped or padded first "
            f"(`{trained.preprocess.resize}`), transparent ones put on "
            f"{trained.preprocess.background}:",
            ONNX_PYTHON,
        ]
    return "\n\n".join(parts).format(
        name=name,
        folder=shlex.quote(name),
        size=trained.preprocess.source_size,
        data=shlex.quote(data),
        split=split,
    )
