import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from thumbnet.data import archive
from thumbnet.data.archive import read_archive
from thumbnet.errors import DataError

Files = dict[str, bytes]
FILES = {"a/1.txt": b"one", "a/b/2.txt": b"two" * 400, "empty.txt": b""}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_tars_are_read_whatever_their_packing(tmp_path: Path, mode: str, form: int) -> None:
    path = tmp_path / "x.bin"  # known by content, not by suffix
    long = "d" * 60 + "/" + "e" * 70 + "/ü.txt"
    with tarfile.open(path, mode, format=form) as made:
        for name, data in {**FILES, long: b"long"}.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            made.addfile(header, io.BytesIO(data))
        folder = tarfile.TarInfo("void")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
    tree = read_archive(path)
    assert tree.files == {**FILES, long: b"long"}
    assert {"a", "a/b", "void"} <= tree.folders


def test_names_beyond_all_headers(tmp_path: Path) -> None:
    long = "/".join(["f" * 90] * 5) + ".txt"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "x.tar", "w", format=form) as made:
            made.addfile(tarfile.TarInfo(long))
            made.addfile(tarfile.TarInfo("short"))
        assert set(read_archive(tmp_path / "x.tar").files) == {long, "short"}


def test_zip_is_read(write_zip: Callable[..., Path]) -> None:
    tree = read_archive(write_zip(FILES, top="./"))
    assert tree.files == FILES
    assert tree.folders == {"a", "a/b"}


def test_large_members_cross_the_pieces(
    write_tar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n}.bin": bytes([n]) * (1000 * n) for n in range(1, 30)}
    monkeypatch.setattr("thumbnet.data.tar_stream._AHEAD", 700)
    assert read_archive(write_tar(files, "w:gz", top="")).files == files


def test_system_files_are_left_out(write_zip: Callable[..., Path]) -> None:
    junk = {"__MACOSX/a/._1.txt": b"x", "a/.DS_Store": b"x", "a/Thumbs.db": b"x", ".git/x": b"x"}
    assert read_archive(write_zip({**FILES, **junk}, top="")).files == FILES


def hostile_tar(path: Path, member: tarfile.TarInfo, times: int = 1) -> Path:
    with tarfile.open(path, "w") as made:
        for _ in range(times):
            made.addfile(member, io.BytesIO(bytes(member.size)))
    return path


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "C:/x", "..\\x", "a\\..\\..\\x"])
def test_paths_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = hostile_tar(tmp_path / "x.tar", tarfile.TarInfo(name))
    with pytest.raises(DataError, match="is refused: member") as caught:
        read_archive(path)
    assert repr(name) in str(caught.value)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        made.writestr(info, b"x")
    with pytest.raises(DataError, match="is refused: member"):
        read_archive(tmp_path / "x.zip")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("bad")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="member 'bad' is a link, a device"):
        read_archive(hostile_tar(tmp_path / "x.tar", member))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, mode: int) -> None:
    info = zipfile.ZipInfo("bad")
    info.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="member 'bad' is a link"):
        read_archive(tmp_path / "x.zip")


def test_an_encrypted_zip_is_refused(write_zip: Callable[..., Path]) -> None:
    path = write_zip({"x": b"1"}, top="")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="is encrypted"):
        read_archive(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stands in it twice"):
        read_archive(hostile_tar(tmp_path / "x.tar", tarfile.TarInfo("a"), times=2))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("a/b", b"1")
        made.writestr("a/./b", b"2")
    with pytest.raises(DataError, match="stands in it twice"):
        read_archive(tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("cap", "value", "message"),
    [
        ("MAX_TOTAL_BYTES", 5000, "brings the whole over 5,000 bytes"),
        ("MAX_MEMBERS", 3, "at most 3 members"),
        ("MAX_MEMBER_BYTES", 999, "has 1,000 bytes, allowed are 999"),
    ],
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_caps(
    kind: str,
    cap: str,
    value: int,
    message: str,
    write_tar: Callable[..., Path],
    write_zip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {f"{n}.bin": os.urandom(1000) for n in range(6)}
    path = write_tar(files) if kind == "tar" else write_zip(files)
    assert len(read_archive(path).files) == 6
    monkeypatch.setattr(archive, cap, value)
    with pytest.raises(DataError, match=message):
        read_archive(path)


def test_the_size_is_looked_at_before_the_content(tmp_path: Path) -> None:
    header = tarfile.TarInfo("huge")
    header.size = 1 << 40
    (tmp_path / "x.tar").write_bytes(header.tobuf() + bytes(10_000))
    with pytest.raises(DataError, match="has 1,099,511,627,776 bytes"):
        read_archive(tmp_path / "x.tar")


def test_a_zip_bomb_is_refused_by_its_ratio(write_zip: Callable[..., Path]) -> None:
    assert read_archive(write_zip({"small": bytes(1 << 20)}))
    with pytest.raises(DataError, match="grow more than 100 times"):
        read_archive(write_zip({"bomb": bytes((1 << 20) + 1)}))


def test_a_gz_bomb_after_the_end_is_refused(
    write_tar: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.data.tar_stream._MAX_TRAILER", 1 << 20)
    tar = write_tar(FILES, "w").read_bytes()
    (tmp_path / "x.tgz").write_bytes(gzip.compress(tar + bytes(20 << 20)))
    with pytest.raises(DataError, match="follow the end of the tar"):
        read_archive(tmp_path / "x.tgz")


def test_a_long_name_has_a_cap(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000))
    with pytest.raises(DataError, match="damaged"):
        read_archive(tmp_path / "x.tar")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_truncated_at_any_offset(
    mode: str, write_tar: Callable[..., Path], write_zip: Callable[..., Path]
) -> None:
    files = {f"{n}.bin": os.urandom(700) for n in range(8)}
    path = write_zip(files) if mode == "zip" else write_tar(files, mode)
    raw = path.read_bytes()
    # An uncompressed tar ends in padding that may be lost; all else must be there.
    whole = 8 * 1536 + 512 if mode == "w" else len(raw)
    for cut in [*range(1, whole - 1, 397), 512, 1536, 3 * 1536, whole - 1]:
        path.write_bytes(raw[:cut])
        with pytest.raises(DataError):
            read_archive(path)


def test_a_flipped_byte_in_a_packed_archive_is_seen(
    write_tar: Callable[..., Path], write_zip: Callable[..., Path]
) -> None:
    files = {"a.bin": os.urandom(5000)}
    for path in (write_tar(files, "w:xz"), write_tar(files, "w:gz", "b.tgz"), write_zip(files)):
        raw = bytearray(path.read_bytes())
        raw[2000] ^= 1
        path.write_bytes(raw)
        with pytest.raises(DataError, match="damaged"):
            read_archive(path)


def test_empty_and_foreign_files(tmp_path: Path, write_zip: Callable[..., Path]) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_archive(path)
    path.write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        read_archive(path)
    path.write_bytes(gzip.compress(b"no tar in here" * 100))
    with pytest.raises(DataError, match="damaged"):
        read_archive(path)
    for empty in (write_zip({}), tmp_path / "e.tar"):
        if empty.suffix == ".tar":
            tarfile.open(empty, "w").close()
        with pytest.raises(DataError, match="is empty"):
            read_archive(empty)


def test_progress_is_told(write_tar: Callable[..., Path]) -> None:
    told: list[tuple[int, int, str]] = []
    path = write_tar(FILES)
    read_archive(path, lambda *args: told.append(args))
    assert told[-1] == (path.stat().st_size, path.stat().st_size, "reading source.tar")
