from collections.abc import Callable
from pathlib import Path

import pytest

from thumbnet.data import sources
from thumbnet.data.download import Remote
from thumbnet.data.packed import PackedDataset
from thumbnet.data.prepare import prepare
from thumbnet.data.sources import cache_dir, load_dataset, locate
from thumbnet.errors import DataError

Files = dict[str, bytes]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    unreachable = Remote("http://127.0.0.1:9/tiny-imagenet-200.zip", 10, "")
    monkeypatch.setattr(sources, "TINY_IMAGENET", unreachable)
    return folder


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("THUMBNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_dir() == Path("/x/thumbnet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert cache_dir() == Path("/h/.cache/thumbnet")


def test_search_order(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_files: Files,
    write_zip: Write,
) -> None:
    assert locate(None) is None
    # Last the cache: the downloaded zip, then before it what is packed.
    cache.mkdir()
    zipped = write_zip(tiny_files, "cache/tiny-imagenet-200.zip")
    assert locate(None) == zipped
    packed = prepare(zipped).path
    prepare(zipped, size=32)
    assert locate(None) == packed
    # Before it ./data, in its own order.
    here = Path("data")
    (here / "tiny-imagenet-200").mkdir(parents=True)
    assert locate(None) == here / "tiny-imagenet-200"
    (here / "tiny-imagenet-200.tar.xz").write_bytes(b"x")
    assert locate(None) == here / "tiny-imagenet-200.tar.xz"
    (here / "tiny-imagenet-200.zip").write_bytes(b"x")
    assert locate(None) == here / "tiny-imagenet-200.zip"
    (here / "train").mkdir()
    assert locate(None) == here
    # Before that the environment, and first the argument.
    monkeypatch.setenv("THUMBNET_DATA", str(cache))
    assert locate(None) == cache
    assert locate(tmp_path) == tmp_path


def test_a_packed_data_folder(folder_files: Files, write_zip: Write) -> None:
    data = prepare(write_zip(folder_files), Path("data"))
    assert locate(None) == Path("data")
    assert load_dataset().fingerprint == data.fingerprint


def test_what_is_named_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"/no/where does not exist; give"):
        locate(Path("/no/where"))
    monkeypatch.setenv("THUMBNET_DATA", "/no/where")
    with pytest.raises(DataError, match="THUMBNET_DATA: /no/where does not exist"):
        locate(None)


def test_load_opens_or_packs_once(
    folder_files: Files, write_zip: Write, write_folder: Write, cache: Path
) -> None:
    archive, folder = write_zip(folder_files), write_folder(folder_files)
    from_archive = load_dataset(archive)
    from_folder = load_dataset(str(folder))
    assert from_archive.fingerprint == from_folder.fingerprint
    assert len(list((cache / "packed").iterdir())) == 2
    assert load_dataset(archive).path == from_archive.path
    assert load_dataset(from_archive.path).path == from_archive.path
    assert load_dataset(archive, size=16).image_size == 16


def assert_helps(message: str, cwd: Path, cache: Path) -> None:
    for part in (
        "no data found",
        str(cwd / "data"),
        str(cache),
        "--data PATH",
        "THUMBNET_DATA",
        "thumbnet data fetch",
        "thumbnet data synth",
    ):
        assert part in message, part


def test_offline_says_all_of_it(elsewhere: Path, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset()
    assert_helps(str(caught.value), elsewhere, cache)
    assert "http://127.0.0.1:9/tiny-imagenet-200.zip cannot be reached" in str(caught.value)


def test_without_download_nothing_is_asked(
    elsewhere: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "fetch", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(DataError) as caught:
        load_dataset(download=False)
    assert_helps(str(caught.value), elsewhere, cache)


def test_what_is_downloaded_is_packed(
    tiny_files: Files, write_zip: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(remote: Remote, folder: Path, **_: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return write_zip(tiny_files, "cache/tiny-imagenet-200.zip")

    monkeypatch.setattr(sources, "fetch", fetched)
    first: PackedDataset = load_dataset()
    assert first.path.parent == cache / "packed"
    monkeypatch.setattr(sources, "fetch", lambda *_, **__: pytest.fail("asked"))
    assert load_dataset().path == first.path
