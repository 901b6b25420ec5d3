"""Keep tests apart from the user's cache and data, and their thread count the same throughout."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read here, before any test module is collected: torch looks at it when it is first imported, and
# the commands that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))

REAL_DATA = os.environ.get("THUMBNET_DATA")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point THUMBNET_CACHE at a temporary folder, and hide the user's THUMBNET_DATA."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("THUMBNET_CACHE", str(cache))
        environment.delenv("THUMBNET_DATA", raising=False)
        yield cache


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the path of the real Tiny ImageNet archive, or skip the test."""
    if not REAL_DATA:
        pytest.skip("THUMBNET_DATA is not set: needs the real Tiny ImageNet archive")
    return Path(REAL_DATA).resolve()
