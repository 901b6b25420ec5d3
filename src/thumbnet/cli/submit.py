"""`thumbnet submit`: labels of the hidden images, from a file or a run, to a challenge."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thumbnet.cli.judge import DeviceOption, WeightsOption
from thumbnet.cli.output import err, out
from thumbnet.cli.progress import bar
from thumbnet.cli.scoreboard import (
    ChallengeOption,
    HttpOption,
    TokenFileOption,
    TokenOption,
    make_client,
    plain,
    show_next,
    time_words,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thumbnet.challenge.bundle import Bundle
    from thumbnet.challenge.client import Client, RefusedError, Sent
    from thumbnet.inference import Predictor

CHUNK = 256


def submit(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run, or a file of labels.")],
    challenge: ChallengeOption = None,
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    note: Annotated[str, typer.Option(help="What was different this time.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the file is well formed.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the next slot.")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="The challenge's images: zip or folder.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Keep what a run predicts in this file.")
    ] = None,
    weights: WeightsOption = "best",
    device: DeviceOption = None,
    allow_http: HttpOption = False,
) -> None:
    """Submit labels of the hidden images to a challenge: a file's, or what a run predicts.

    The token comes from --token, else --token-file, else the variable THUMBNET_TOKEN, else the
    file ~/.config/thumbnet/token, which only you may be able to read. What a run predicts is kept
    in the run's predictions/ and used again.
    """
    from thumbnet.challenge.bundle import read_bundle
    from thumbnet.errors import SubmissionError

    if challenge is None and not (check and data is not None):
        raise SubmissionError(
            "give the server with --challenge URL, or check the file with --check --data FILE"
        )
    with ExitStack() as opened:
        client = None
        if challenge is not None and not (check and data is not None):
            client = opened.enter_context(make_client(challenge, token, token_file, allow_http))
        bundle = None if data is None else read_bundle(data)
        if client is not None and not Path(source).is_file():
            client.check_in()  # before a run predicts, which may take minutes
        content = _content(source, bundle, output, weights, device)
        if bundle is not None:
            _check_offline(content, bundle)
        if client is None:
            return
        if check:
            _check_there(client, content)
        else:
            _show_receipt(_send(client, content, note, wait), client.now())


def _content(
    source: str, bundle: Bundle | None, output: Path | None, weights: str, device: str | None
) -> bytes:
    from thumbnet.errors import SubmissionError

    path = Path(source)
    if path.is_file():
        try:
            return path.read_bytes()
        except OSError as error:
            raise SubmissionError(f"cannot read {path}: {error.strerror}") from None
    if bundle is None:
        raise SubmissionError(
            f"{source} is not a file; if it is a run, give the images to predict with "
            "--data BUNDLE (on the server: /bundle.zip)"
        )
    return _predicted(source, bundle, output, weights, device)


def _predicted(
    run: str, bundle: Bundle, output: Path | None, weights: str, device: str | None
) -> bytes:
    """Return what a run says of the images of a bundle, as a file of labels."""
    from thumbnet.errors import DataError
    from thumbnet.inference import load_predictor
    from thumbnet.predictions import replaced
    from thumbnet.scoring import ranked
    from thumbnet.training.engine import find_device

    predictor = load_predictor(run, weights, find_device(device))
    wnids = predictor.trained.wnids
    if strange := sorted(set(wnids) ^ set(bundle.wnids)):
        raise DataError(
            f"{run} and the challenge differ in {len(strange)} of their classes, {strange[0]} for "
            "one; submit a run trained on the challenge's classes"
        )
    logits = _logits(run, predictor, bundle, weights)
    lines = [
        " ".join([name, *(wnids[i] for i in row)])
        for name, row in zip(bundle.names, ranked(logits, bundle.num_labels), strict=True)
    ]
    text = "".join(f"{line}\n" for line in lines)
    if output is not None:
        with replaced(output) as file:
            file.write(text)
        out.print(f"{len(lines)} labels written to {output}")
    return text.encode()


def _logits(run: str, predictor: Predictor, bundle: Bundle, weights: str) -> NDArray[np.float32]:
    """Return the logits of a bundle's images; made once, and kept in the run's predictions."""
    import hashlib

    import numpy as np

    from thumbnet.evaluation.stored import Key, stored_logits
    from thumbnet.inference import weights_file

    home, file = weights_file(run, weights)
    key = Key(
        split="challenge",
        fingerprint=bundle.fingerprint,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        image_size=predictor.trained.preprocess.image_size,
        views="one",
        num_images=len(bundle.names),
        num_classes=predictor.trained.num_classes,
    )

    def predict() -> NDArray[np.float32]:
        parts: list[NDArray[np.float32]] = []
        chunk: list[bytes | Path] = []
        with bar("predicting") as progress:
            for number, image in enumerate(bundle.images(), 1):
                chunk.append(image)
                if len(chunk) == CHUNK or number == len(bundle.names):
                    parts.append(predictor.logits(chunk))
                    chunk = []
                    progress(number, len(bundle.names), "predicting")
        return np.concatenate(parts)

    return stored_logits(home / "predictions", key, predict)


def _check_offline(content: bytes, bundle: Bundle) -> None:
    """Say whether a file is well formed, by the same code as the server; end with 1 if not."""
    from thumbnet.challenge.parse import MalformedError, parse_submission

    try:
        parse_submission(content, bundle.names, bundle.wnids, bundle.class_names, bundle.num_labels)
    except MalformedError as error:
        err.print("the file cannot be submitted; nothing was sent:")
        _end_with([*error.errors])
    out.print(f"well formed: {len(bundle.names):,} images, {len(bundle.wnids)} classes")


def _check_there(client: Client, content: bytes) -> None:
    from thumbnet.challenge.client import RefusedError

    try:
        answer = client.check(content)
    except RefusedError as error:
        _refused(error, client)
    out.print(f"well formed: {answer['num_images']:,} images, sha256 {plain(answer['sha256'])}")


def _send(client: Client, content: bytes, note: str, wait: bool) -> Sent:
    from thumbnet.challenge.client import RefusedError

    if wait:
        _wait(client, client.next_slot())
    while True:
        try:
            return client.submit(content, note)
        except RefusedError as error:
            if not (wait and error.can_wait):
                _refused(error, client)
            _wait(client, error.retry_at)


def _wait(client: Client, slot: datetime | None) -> None:
    from thumbnet.challenge.limits import countdown

    if slot is None or slot <= client.now():
        return
    err.print(
        f"next slot {countdown(slot, client.now())}, at {time_words(slot)}; Ctrl-C ends the wait"
    )
    with err.status("") as status:
        client.wait_until(slot, lambda now: status.update(f"next slot {countdown(slot, now)}"))


def _refused(error: RefusedError, client: Client) -> None:
    """Print a refusal and end with status 1."""
    from thumbnet.challenge.limits import countdown

    lines = [str(error)]
    if error.retry_at is not None:
        again = "next slot" if error.reason == "quota" else "try again"
        again += f" {countdown(error.retry_at, client.now())}, {time_words(error.retry_at)}"
        lines.append(f"{again}; --wait waits and submits then" if error.can_wait else again)
    _end_with(lines)


def _end_with(lines: list[str]) -> None:
    for line in lines:
        err.print("\n".join(plain(part) for part in line.split("\n")))
    raise typer.Exit(1)


def _show_receipt(sent: Sent, now: datetime) -> None:
    score = sent.score
    shown = f"{100 * score.value:.1f} % ± {100 * score.half_width:.1f}"
    out.print(f"entry {sent.number} of {plain(sent.team)}: {shown}, {score.num_images:,} images")
    out.print(f"{time_words(sent.received)}, id {plain(sent.id)}, {sent.size_bytes:,} bytes")
    out.print(f"sha256 {plain(sent.sha256)}")
    show_next(sent.next_slot, sent.entries_left, now)
