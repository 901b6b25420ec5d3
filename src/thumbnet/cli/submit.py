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
    from thumbnet.challenge.bundle import Bundle
    from thumbnet.challenge.client import Client, RefusedError, Sent

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
    """Submit labels of the hidden images to a challenge: a file's, or what a run predicts."""
    from thumbnet.challenge.bundle import read_bundle
    from thumbnet.errors import SubmissionError

    if challenge is None and not (check and data is not None):
        raise SubmissionError("give the server by --challenge URL, or check by --check --data FILE")
    with ExitStack() as opened:
        client = None
        if challenge is not None and not (check and data is not None):
            client = opened.enter_context(make_client(challenge, token, token_file, allow_http))
        bundle = None if data is None else read_bundle(data)
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
            f"{source} is no file; if it is a run, give the images it shall predict by "
            "--data BUNDLE (the server has it at /bundle.zip)"
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
    lines: list[str] = []
    with bar("predicting") as progress:
        chunk: list[bytes | Path] = []
        for image in bundle.images():
            chunk.append(image)
            if len(chunk) == CHUNK or len(lines) + len(chunk) == len(bundle.names):
                top = ranked(predictor.logits(chunk), bundle.num_labels)
                names = bundle.names[len(lines) :]
                lines += [
                    " ".join([name, *(wnids[i] for i in row)])
                    for name, row in zip(names, top, strict=False)
                ]
                chunk = []
                progress(len(lines), len(bundle.names), "predicting")
    text = "".join(f"{line}\n" for line in lines)
    if output is not None:
        with replaced(output) as file:
            file.write(text)
        out.print(f"{len(lines)} labels written to {output}")
    return text.encode()


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
