"""Where a participant keeps the team's token."""

import os
from collections.abc import Mapping
from pathlib import Path

from thumbnet.errors import SubmissionError

VARIABLE = "THUMBNET_TOKEN"
MAX_BYTES = 4_096


def default_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file that is looked at where no other is named."""
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "thumbnet" / "token"


def find_token(
    given: str | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> str | None:
    """Return the token given, else the one of a named file, of THUMBNET_TOKEN, of the usual file.

    Raises: SubmissionError for a named file that is missing, and for any that others can read
    """
    if given:
        return given.strip()
    if file is not None:
        return read_token(file)
    if from_environment := environment.get(VARIABLE, "").strip():
        return from_environment
    usual = default_file(environment)
    return read_token(usual) if usual.is_file() else None


def read_token(file: Path) -> str:
    """Read a token from a file that only its owner can read.

    Raises: SubmissionError
    """
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(MAX_BYTES)
    except OSError as error:
        raise SubmissionError(f"cannot read the token in {file}: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise SubmissionError(f"others can read {file}; make it your own: chmod 600 {file}")
    try:
        token = content.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token.isprintable() or len(token.split()) != 1:
        raise SubmissionError(f"{file} holds no token; it takes the token alone, in one line")
    return token
