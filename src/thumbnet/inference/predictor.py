"""From a run or a model folder to predicted classes of any image."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.augment.views import Preprocess
from thumbnet.data.decode import decode
from thumbnet.data.packed import PackedDataset
from thumbnet.data.progress import Progress
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.evaluation.predict import predict_logits
from thumbnet.evaluation.views import find_views
from thumbnet.inference.images import ImageLike, to_file
from thumbnet.model_folder import TrainedModel, read_model
from thumbnet.models.registry import model_entry
from thumbnet.runs import RunLike, find_run, run_path
from thumbnet.scoring import ranked

Images = TypeVar("Images", bound=ImageLike)


@dataclass(frozen=True)
class Guess:
    """One class an image may be of, with its probability."""

    wnid: str
    class_name: str
    prob: float


class Predictor:
    """A trained network with the preprocessing it was judged with."""

    def __init__(self, trained: TrainedModel, device: str = "cpu") -> None:
        self.trained = trained
        self.device = torch.device(device)
        self.model = trained.model.to(self.device)

    def logits(self, images: Sequence[bytes | Path], views: str = "one") -> NDArray[np.float32]:
        """Run the network over image files of any size, decoded as `data prepare` decodes.

        Shapes: -> (N, num_classes)
        Args: views: test-time views, by their name
        Raises: DataError for a file that is missing or no image; RecipeError for unknown views
        """
        preprocess = self.trained.preprocess
        pixels = [read_pixels(image, preprocess) for image in images]
        packed = torch.from_numpy(np.stack(pixels))

        def fetch(part: slice) -> Tensor:
            return preprocess.shrink(packed[part])

        return predict_logits(
            self.model,
            fetch,
            len(packed),
            preprocess,
            self.trained.num_classes,
            views=find_views(views),
        )

    @overload
    def predict(self, images: ImageLike, k: int = 5) -> list[Guess]: ...

    @overload
    def predict(
        self, images: list[Images] | tuple[Images, ...], k: int = 5
    ) -> list[list[Guess]]: ...

    def predict(self, images: Any, k: int = 5) -> list[Guess] | list[list[Guess]]:
        """Return the `k` likeliest classes, best first: of one image, or of each in a list.

        Args: images: a path (str or Path), the bytes of a file, a PIL image, an array of uint8, or
            a list of these
        Shapes: an array is (H, W, 3) RGB, or (H, W) gray
        Raises: DataError for a file that is missing, or what is not an image
        Example: predictor.predict("cat.jpg")[0].class_name
        """
        if not isinstance(images, list | tuple):
            return self.guesses(self.logits([to_file(images)]), k)[0]
        return self.guesses(self.logits([to_file(one) for one in images]), k) if images else []

    def guesses(self, logits: NDArray[np.float32], k: int = 5) -> list[list[Guess]]:
        """Name the `k` largest logits of each row; equal ones go to the lower index."""
        probs = torch.softmax(torch.from_numpy(logits).double(), dim=1).numpy()
        names, wnids = self.trained.class_names, self.trained.wnids
        return [
            [Guess(wnids[i], names[i], float(row[i])) for i in top]
            for row, top in zip(probs, ranked(logits, k), strict=True)
        ]

    def split_logits(
        self,
        dataset: PackedDataset,
        split: str,
        progress: Progress | None = None,
        *,
        views: str = "one",
        image_size: int | None = None,
    ) -> NDArray[np.float32]:
        """Run the network over a whole split, labeled or not.

        Args: views: test-time views, by their name; image_size: of judging, instead of its own
        Shapes: -> (N, num_classes)
        Raises: DataError for other classes; RecipeError for unknown views, or a size that the
            network cannot take
        """
        check_classes(self.trained, dataset)
        seen = find_views(views)
        images = torch.from_numpy(dataset.splits[split].images)
        preprocess = self._preprocess(image_size)

        def fetch(part: slice) -> Tensor:
            return preprocess.shrink(images[part])

        return predict_logits(
            self.model,
            fetch,
            len(images),
            preprocess,
            self.trained.num_classes,
            views=seen,
            progress=_told(progress, "predicting"),
            choose_threads=True,
        )

    def _preprocess(self, image_size: int | None) -> Preprocess:
        own, name = self.trained.preprocess, self.trained.architecture
        if image_size in (None, own.image_size):
            return own
        if self.trained.members or own.crop or model_entry(name).image_size:
            raise RecipeError(
                f"{name} takes images of {own.image_size} pixels only, not {image_size}"
            )
        entry = model_entry(name)
        if image_size < entry.min_image_size:
            raise RecipeError(
                f"{entry.name} takes images of at least {entry.min_image_size} pixels, "
                f"not {image_size}"
            )
        return replace(own, image_size=image_size)


def load_predictor(run_or_folder: RunLike, weights: str = "best", device: str = "cpu") -> Predictor:
    """Load a run's `best` or `last` weights, or any model folder.

    Args: run_or_folder: its path or name, a run, or the result of a training

    Raises: CheckpointError where there is none, or it is damaged
    Example: load_predictor("runs/thumbnet-quick").predict("cat.jpg")
    """
    path = Path(run_path(run_or_folder))
    if (path / "config.json").is_file():
        return Predictor(read_model(path), device)
    run = find_run(path)
    folder = run.weights(weights)
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError(
            f"{run.path} has no {weights} weights yet; its first epoch has not ended; "
            f"go on with `thumbnet resume {run.name}`"
        )
    return Predictor(read_model(folder), device)


def check_classes(trained: TrainedModel, dataset: PackedDataset) -> None:
    """Refuse data whose classes are not the network's, by name and in number.

    Raises: DataError
    """
    if trained.wnids == dataset.wnids:
        return
    missing = _few(set(trained.wnids) - set(dataset.wnids))
    added = _few(set(dataset.wnids) - set(trained.wnids))
    raise DataError(
        f"{dataset.path} has {dataset.num_classes} classes, the network knows "
        f"{trained.num_classes}; only the network knows: {missing}; only the data has: {added}; "
        "give the data it was trained on with --data, or train on this data with --init"
    )


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(done, total, what)


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (", ..." if len(ordered) > 3 else "") if ordered else "none"


def read_pixels(image: bytes | Path, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Decode an image file exactly as the data that a network was trained on was packed.

    Shapes: -> (source_size, source_size, 3)
    Raises: DataError that names the file, if it is missing or not an image
    """
    size, resize, background = preprocess.source_size, preprocess.resize, preprocess.background
    if isinstance(image, bytes):
        return decode(image, size, resize, background)
    try:
        return decode(image.read_bytes(), size, resize, background)
    except OSError as error:
        raise DataError(f"{image}: cannot be read ({error.strerror})") from None
    except DataError as error:
        raise DataError(f"{image}: {error}") from error
