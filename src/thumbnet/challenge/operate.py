"""The life of a challenge as its operator sees it: create, open, back up, restore."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from thumbnet.challenge.auth import new_password
from thumbnet.challenge.bundle import write_bundle
from thumbnet.challenge.entities import Refusal, Rules
from thumbnet.challenge.folders import new_folder, write_secret
from thumbnet.challenge.parse import parse_submission
from thumbnet.challenge.settings import (
    BUNDLE_NAME,
    DATABASE_NAME,
    FOLDER_VARIABLE,
    SETTINGS_NAME,
    ChallengeError,
    Settings,
    load_settings,
    settings_text,
)
from thumbnet.challenge.split import choose_public
from thumbnet.challenge.store import Clock, Store, utc_now
from thumbnet.challenge.store_admin import create_challenge
from thumbnet.challenge.store_copy import problems
from thumbnet.challenge.store_truth import Truth
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import apply_protocol, source_part

Hide = Literal["val", "val-second-half"]
BASELINE_NAME = "Random guess"
TINY_IMAGENET = {"n01443537", "n12267677"}  # two of its classes tell it well enough
PUBLIC_LABELS = (
    "THE LABELS YOU HIDE ARE PUBLIC. They are the official validation labels of Tiny ImageNet, "
    "which anybody can download, and whoever compares pixels finds the image behind each new name. "
    "This keeps an honest class honest and stops nobody else. For prizes or grades, hide labels "
    "that only you have: --labels FILE."
)
"""What everybody must be told who hides Tiny ImageNet's val."""


@dataclass(frozen=True)
class Hidden:
    """The images to hide, and their classes.

    Shapes: images (N, S, S, 3); labels (N,)
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    warning: str = ""


@dataclass(frozen=True)
class Created:
    """A new challenge; the password is kept nowhere."""

    settings: Settings
    password: str
    num_images: int
    num_public: int
    warning: str
    baseline_token: str | None


def hide_part(dataset: PackedDataset, hide: Hide) -> Hidden:
    """Take the images to hide from val, or from the second half of each of its classes.

    Raises: DataError where the data set has no val, or it cannot be cut
    """
    part = source_part(dataset, "val")
    if hide == "val-second-half":
        part = apply_protocol(dataset, "vonmartens2019").report
    split = dataset.splits["val"]
    assert split.labels is not None
    warning = PUBLIC_LABELS if set(dataset.wnids) >= TINY_IMAGENET else ""
    return Hidden(split.images[part.indices], split.labels[part.indices], warning)


def hide_labelled(dataset: PackedDataset, labels_file: Path) -> Hidden:
    """Take the unlabelled test images, whose classes stand in a file of `image wnid` lines.

    Raises: DataError where the data set has no test images; SubmissionError with all errors of the
        file
    """
    split = dataset.splits[source_part(dataset, "test").split]
    names = [name.decode() for name in split.names.tolist()]
    labels = _read_labels(labels_file, names, dataset.wnids, dataset.class_names)
    return Hidden(split.images, labels)


def create(
    folder: Path,
    dataset: PackedDataset,
    hidden: Hidden,
    rules: Rules,
    *,
    seed: int | None = None,
    database_url: str = "",
    public_url: str | None = None,
    baseline: bool = False,
    clock: Clock = utc_now,
) -> Created:
    """Write the folder of a new challenge: database, settings, bundle; all of it or nothing.

    Args: seed: decides the names of images and the public part, and is kept nowhere: who knows it
        and the data set can undo both. Drawn where not given; baseline: whether a team that guesses
        stands on the board from the beginning
    Raises: ChallengeError where the folder is not empty, or the rules make no sense
    """
    check_rules(rules, dataset.num_classes)
    seed = secrets.randbits(128) if seed is None else seed
    password, token = new_password(), None
    with new_folder(folder) as made:
        names = write_bundle(
            made / BUNDLE_NAME, hidden.images, dataset.wnids, dataset.class_names, rules, seed
        )
        truth = _shuffled(dataset, hidden, names, rules, seed)
        write_secret(made / SETTINGS_NAME, settings_text(database_url, public_url))
        settings = load_settings(made, {})
        if not database_url:
            write_secret(made / DATABASE_NAME, "")  # it holds the hidden labels
        create_challenge(settings.url, rules, truth, password, clock)
        if baseline:
            token = _add_baseline(settings, rules, truth, seed, clock)
    return Created(
        settings=load_settings(folder, {}),
        password=password,
        num_images=len(truth.names),
        num_public=truth.num_public,
        warning=hidden.warning,
        baseline_token=token,
    )


def check_rules(rules: Rules, num_classes: int) -> None:
    """Check that rules make sense.

    Raises: ChallengeError for the first that does not
    """
    demands = (
        (bool(rules.name.strip()), "a challenge needs a name"),
        (rules.closes > rules.opens, f"it closes ({rules.closes}) before it opens"),
        (rules.quota >= timedelta(0), "the quota is a time from one entry to the next"),
        (rules.max_entries is None or rules.max_entries > 0, "--max-entries is 1 or more"),
        (0 < rules.public_share <= 1, "the public share is more than 0 and at most 1"),
        (0 <= rules.rounding <= 0.5, "rounding is a step from 0 to 0.5; 0.001 is 0.1 %"),
        (0 < rules.ladder_step <= 0.5, "the step of the Ladder is above 0 and at most 0.5"),
        (rules.metric == "top1" or num_classes >= 5, "top-5 needs five classes or more"),
    )
    for holds, message in demands:
        if not holds:
            raise ChallengeError(message)


def open_store(folder: Path, clock: Clock = utc_now) -> tuple[Settings, Store]:
    """Open a challenge's folder, and bring its database to the form that is read here.

    Raises: ChallengeError where there is no challenge, or its database cannot be reached
    """
    settings = load_settings(folder)
    store = Store(
        settings.url,
        clock,
        malformed_per_hour=settings.malformed_per_hour,
        max_note_chars=settings.max_note_chars,
    )
    if not store.holds_challenge():
        store.close()
        raise ChallengeError(f"the database of {folder} holds no challenge")
    store.migrate()
    return settings, store


def status_of(folder: Path, clock: Clock = utc_now) -> dict[str, object]:
    """Return what an operator wants to know of a challenge, and the problems of its database."""
    settings, store = open_store(folder, clock)
    try:
        challenge, board, health = store.challenge(), store.board(), store.health()
        leader = next((row.team.name for row in board.rows if row.rank == 1), "-")
        return {
            "name": challenge.rules.name,
            "state": challenge.state,
            "opens": challenge.rules.opens.isoformat(),
            "closes": challenge.rules.closes.isoformat(),
            "freeze": challenge.frozen_at.isoformat() if challenge.frozen_at else "none",
            "images": challenge.num_images,
            "public": challenge.num_public,
            "teams": health["teams"],
            "entries": health["entries"],
            "leader": leader,
            "address": settings.public_url,
            "database": store.engine.url.render_as_string(hide_password=True),
            "revision": store.revision(),
            "problems": problems(store),
        }
    finally:
        store.close()


def rescore_by(store: Store, labels_file: Path | None, actor: str) -> int:
    """Judge all entries again, by the labels in a file where given; return how many changed.

    Raises: SubmissionError with all errors of the file
    """
    if labels_file is None:
        return store.rescore(actor=actor)
    truth = store.current().truth
    return store.rescore(
        _read_labels(labels_file, truth.names, truth.wnids, truth.class_names), actor
    )


def app_of_folder() -> FastAPI:
    """Make the app of the folder that the environment names; each worker process calls this."""
    from thumbnet.challenge.app import create_app

    return create_app(load_settings(Path(os.environ[FOLDER_VARIABLE])))


def _read_labels(
    path: Path, names: Sequence[str], wnids: Sequence[str], class_names: Sequence[str]
) -> NDArray[np.int64]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ChallengeError(f"cannot read {path}: {error.strerror}") from None
    return parse_submission(content, names, wnids, class_names)[:, 0].astype(np.int64)


def _shuffled(
    dataset: PackedDataset, hidden: Hidden, names: list[str], rules: Rules, seed: int
) -> Truth:
    """Put the images in the order of their new names: the old one would tell of labels."""
    order = np.argsort(np.array(names), kind="stable")
    labels = hidden.labels[order]
    return Truth(
        names=tuple(names[place] for place in order),
        wnids=dataset.wnids,
        class_names=dataset.class_names,
        labels=labels,
        public=choose_public(labels, rules.public_share, seed),
    )


def _add_baseline(settings: Settings, rules: Rules, truth: Truth, seed: int, clock: Clock) -> str:
    """Add a team that guesses, with one entry at the opening."""
    random = np.random.default_rng([seed, 1])
    num_labels = 5 if rules.metric == "top5" else 1
    lines = []
    for name in truth.names:
        guess = random.choice(len(truth.wnids), num_labels, replace=False)
        lines.append(" ".join([name, *(truth.wnids[index] for index in guess)]) + "\n")
    store = Store(settings.url, clock)
    try:
        team, token = store.add_team(BASELINE_NAME, is_baseline=True)
        store.clock = lambda: rules.opens
        outcome = store.submit(team, "".join(lines).encode(), "one class for each image, drawn")
        assert not isinstance(outcome, Refusal), outcome
    finally:
        store.close()
    return token
