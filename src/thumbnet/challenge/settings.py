"""How a challenge is served: the folder's settings file, overridden by the environment."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from limits import parse_many
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thumbnet.errors import ThumbnetError, did_you_mean

SETTINGS_NAME = "settings.yaml"
DATABASE_NAME = "challenge.db"
BUNDLE_NAME = "bundle.zip"
PREFIX = "THUMBNET_CHALLENGE_"
FOLDER_VARIABLE = f"{PREFIX}FOLDER"


class ChallengeError(ThumbnetError):
    """A challenge, team or setting that cannot be used as asked."""


class Settings(BaseModel):
    """Everything that is the operator's choice and no rule of the challenge.

    Each field may stand in the folder's settings file, and in the environment as
    THUMBNET_CHALLENGE_<FIELD>, which wins. Limits are written as "10/minute; 100/hour".

    `database_url`: SQLite file of the folder where empty. `trusted_proxies`: addresses whose
    X-Forwarded-For is believed, "*" for all. `public_url`: how participants reach the server; with
    https, cookies are sent by https alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    secret_key: str = Field(min_length=32, repr=False)
    database_url: str = ""
    public_url: str = "http://127.0.0.1:8000"
    trusted_proxies: tuple[str, ...] = ()
    login_limit: str = "10/minute"
    upload_limit: str = "10/second"
    token_upload_limit: str = "60/minute"
    malformed_per_hour: int = Field(30, ge=1)
    max_upload_bytes: int = Field(1 << 20, ge=1_000)
    max_note_chars: int = Field(500, ge=0, le=10_000)
    max_listeners: int = Field(2_000, ge=1)
    session_hours: float = Field(12.0, gt=0)
    request_timeout_s: float = Field(30.0, gt=0)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("login_limit", "upload_limit", "token_upload_limit")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            parse_many(value)
        except ValueError:
            raise ValueError(f"{value!r} is no limit; write one as '10/minute'") from None
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def url(self) -> str:
        """Address of the database, as SQLAlchemy writes it."""
        return self.database_url or f"sqlite:///{self.folder.resolve() / DATABASE_NAME}"

    @property
    def bundle(self) -> Path:
        """The archive of images that participants download."""
        return self.folder / BUNDLE_NAME


def load_settings(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of a challenge's folder.

    Raises: ChallengeError where there is none, or a field is unknown or out of range
    """
    path = folder / SETTINGS_NAME
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise ChallengeError(
            f"{folder} holds no challenge ({SETTINGS_NAME} cannot be read); give the folder that "
            "`thumbnet challenge create` wrote"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ChallengeError(f"{path} is no YAML: {error}") from None
    if not isinstance(read, dict):
        raise ChallengeError(f"{path} must map names to values")
    values: dict[str, Any] = {**read, "folder": folder}
    for field in Settings.model_fields:
        if field != "folder" and f"{PREFIX}{field.upper()}" in environment:
            values[field] = environment[f"{PREFIX}{field.upper()}"]
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ChallengeError(f"{path}: {_explained(error)}") from None


def settings_text(database_url: str = "", public_url: str | None = None) -> str:
    """Return the text of a new settings file, with a fresh secret key."""
    values: dict[str, object] = {"secret_key": secrets.token_urlsafe(32)}
    if database_url:
        values["database_url"] = database_url
    if public_url:
        values["public_url"] = public_url
    head = "# Settings of a thumbnet challenge. Keep this file to yourself: it holds a secret.\n"
    return head + yaml.safe_dump(values, sort_keys=False)


def _explained(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"unknown setting {name!r}{did_you_mean(name, Settings.model_fields)}")
        else:
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
