"""Where the weights of a pretrained recipe come from: a file given, the cache, or the network."""

from pathlib import Path

from thumbnet.data.cache import cache_dir
from thumbnet.data.download import Remote, fetch
from thumbnet.data.progress import Progress
from thumbnet.errors import CheckpointError, DataError, RecipeError
from thumbnet.models.weights import PUBLIC_WEIGHTS


def pretrained_file(model: str, given: str | Path | None, progress: Progress | None = None) -> Path:
    """Return the file of a network's public weights; a downloaded one has the right hash.

    Raises: RecipeError for a network that has none; CheckpointError where the file given is
        missing, or the official one can be neither found in the cache nor downloaded
    """
    if model not in PUBLIC_WEIGHTS:
        known = ", ".join(sorted(PUBLIC_WEIGHTS))
        raise RecipeError(f"'{model}' has no public weights; networks that have: {known}")
    if given is not None:
        if not Path(given).is_file():
            raise CheckpointError(f"--weights {given} does not exist")
        return Path(given)
    entry = PUBLIC_WEIGHTS[model]
    remote = Remote(entry.url, 0, entry.digest, "sha256")
    try:
        return fetch(remote, cache_dir() / "weights", progress=progress)
    except DataError as error:
        raise CheckpointError(
            f"the pretrained weights of {model} are not at hand: {error}; download {entry.url} "
            "where there is a network, and give the file with --weights"
        ) from None
