"""All of a challenge in one file, and back: to the same database, or to one of the other kind."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import yaml

from thumbnet.challenge.folders import new_folder, write_secret
from thumbnet.challenge.operate import open_store
from thumbnet.challenge.settings import (
    BUNDLE_NAME,
    DATABASE_NAME,
    SETTINGS_NAME,
    ChallengeError,
    Settings,
    load_settings,
)
from thumbnet.challenge.store_copy import copy_challenge, problems
from thumbnet.challenge.store_engine import Clock, Database, utc_now

MANIFEST_NAME = "backup.json"
BACKUP_VERSION = 1


def backup(folder: Path, out: Path, clock: Clock = utc_now) -> Path:
    """Write all of a challenge to one file, readable by the owner only; the server may go on.

    It holds the database as SQLite whatever it is served from, the settings and the bundle.

    Raises: ChallengeError where something is missing, or it cannot be read or written
    """
    settings, store = open_store(folder, clock)
    if not settings.bundle.is_file():
        store.close()
        raise ChallengeError(
            f"{settings.bundle} is missing, and a backup holds it; put it back from an earlier "
            "backup, or from a participant who downloaded it"
        )
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with tempfile.TemporaryDirectory(dir=_existing_parent(out)) as scratch:
            copy = Path(scratch) / DATABASE_NAME
            target = Database(f"sqlite:///{copy}", clock, create=True)
            try:
                copy_challenge(store, target)
            finally:
                target.close()
            files = {
                DATABASE_NAME: copy,
                SETTINGS_NAME: folder / SETTINGS_NAME,
                BUNDLE_NAME: settings.bundle,
            }
            write_secret(temporary, "")
            _write_zip(temporary, files, clock)
        temporary.replace(out)
    except OSError as error:
        raise ChallengeError(f"cannot write {out}: {error}") from None
    finally:
        store.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return out


def restore(saved: Path, folder: Path, database_url: str = "", clock: Clock = utc_now) -> Settings:
    """Make a challenge's folder again from a backup; all of it or nothing.

    Args: database_url: an empty database to fill; else SQLite in the folder
    Raises: ChallengeError where the backup is damaged, or the target is not empty
    """
    with new_folder(folder) as made:
        _read_zip(saved, made)
        values = yaml.safe_load((made / SETTINGS_NAME).read_text(encoding="utf-8"))
        values.pop("database_url", None)
        if database_url:
            values["database_url"] = database_url
        write_secret(made / SETTINGS_NAME, yaml.safe_dump(values, sort_keys=False))
        copy = Database(f"sqlite:///{made / DATABASE_NAME}", clock)
        try:
            copy.migrate()
            if found := problems(copy):
                raise ChallengeError(f"{saved} is damaged: {'; '.join(found)}")
            if database_url:
                target = Database(database_url, clock, create=True)
                try:
                    copy_challenge(copy, target)
                finally:
                    target.close()
        finally:
            copy.close()
        if database_url:
            (made / DATABASE_NAME).unlink()
    return load_settings(folder, {})


def _existing_parent(path: Path) -> Path:
    parent = path.absolute().parent
    if not parent.is_dir():
        raise ChallengeError(f"cannot write {path}: there is no folder {parent}")
    return parent


def _write_zip(path: Path, files: dict[str, Path], clock: Clock) -> None:
    digests = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files.items():
            archive.write(file, name)
            with file.open("rb") as opened:
                digests[name] = hashlib.file_digest(opened, "sha256").hexdigest()
        manifest = {"version": BACKUP_VERSION, "at": clock().isoformat(), "sha256": digests}
        archive.writestr(MANIFEST_NAME, json.dumps(manifest, indent=1))
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


def _read_zip(saved: Path, folder: Path) -> None:
    """Unpack the known members of a backup, and compare their checksums.

    Raises: ChallengeError where it is none, or damaged
    """
    try:
        with zipfile.ZipFile(saved) as archive:
            manifest = json.loads(archive.read(MANIFEST_NAME))
            if manifest["version"] != BACKUP_VERSION:
                raise ChallengeError(f"{saved} was written by another version of thumbnet")
            for name in (DATABASE_NAME, SETTINGS_NAME, BUNDLE_NAME):
                write_secret(folder / name, "")
                with archive.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                with (folder / name).open("rb") as opened:
                    digest = hashlib.file_digest(opened, "sha256").hexdigest()
                if digest != manifest["sha256"][name]:
                    raise ChallengeError(f"{saved} is damaged: {name} differs from its checksum")
    except OSError as error:
        raise ChallengeError(f"cannot read {saved}: {error.strerror}") from None
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ChallengeError(f"{saved} is no backup of a challenge, or damaged: {error}") from None
