"""The JSON that the API sends, as models that document themselves."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from thumbnet.challenge.entities import (
    Board,
    BoardRow,
    Challenge,
    Entry,
    Metric,
    Receipt,
    Refusal,
    Score,
    State,
    TeamPage,
)

SHA256 = "6d0c2a5c9f5e1e5b8f0a3f6b1d1c4f7e9b2a8d3c5e7f9a1b3c5d7e9f0a2b4c6d"


class Answer(BaseModel):
    """What all answers share: no field that is not named here ever leaves."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreAnswer(Answer):
    """A share of right answers, with half the width of its 95 % interval."""

    value: float = Field(examples=[0.613], ge=0, le=1)
    half_width: float = Field(examples=[0.017])
    num_images: int = Field(examples=[3000])

    @classmethod
    def of(cls, score: Score) -> "ScoreAnswer":
        """Make one of a score."""
        return cls(value=score.value, half_width=score.half_width, num_images=score.num_images)


class ChallengeAnswer(Answer):
    """The rules, and what a submission must name."""

    name: str = Field(examples=["Tiny ImageNet 2026"])
    description: str = Field(examples=["Classify 64 x 64 images of 200 classes."])
    state: State
    now: datetime = Field(description="the server's clock, which alone counts")
    opens: datetime
    closes: datetime
    quota_s: float = Field(description="from one entry of a team to its next", examples=[7200])
    max_entries: int | None = Field(examples=[None])
    metric: Metric
    rounding: float = Field(description="step of the shown scores", examples=[0.001])
    ladder: bool
    ladder_step: float = Field(examples=[0.005])
    num_images: int = Field(examples=[10000])
    num_public: int = Field(description="images that scores use until the end", examples=[3000])
    num_classes: int = Field(examples=[200])
    wnids: list[str] = Field(examples=[["n01443537", "n01629819"]])
    class_names: list[str] = Field(examples=[["goldfish", "European fire salamander"]])
    max_upload_bytes: int = Field(examples=[1048576])
    frozen_at: datetime | None
    revealed_at: datetime | None

    @classmethod
    def of(cls, challenge: Challenge, now: datetime, max_upload_bytes: int) -> "ChallengeAnswer":
        """Make one of a challenge."""
        rules = challenge.rules
        return cls(
            name=rules.name,
            description=rules.description,
            state=challenge.state,
            now=now,
            opens=rules.opens,
            closes=rules.closes,
            quota_s=rules.quota.total_seconds(),
            max_entries=rules.max_entries,
            metric=rules.metric,
            rounding=rules.rounding,
            ladder=rules.ladder,
            ladder_step=rules.ladder_step,
            num_images=challenge.num_images,
            num_public=challenge.num_public,
            num_classes=challenge.num_classes,
            wnids=list(challenge.wnids),
            class_names=list(challenge.class_names),
            max_upload_bytes=max_upload_bytes,
            frozen_at=challenge.frozen_at,
            revealed_at=challenge.revealed_at,
        )


class RowAnswer(Answer):
    """A team's line. Teams of one band cannot be told apart by noise; baselines have no rank."""

    rank: int | None = Field(examples=[1])
    band: int = Field(examples=[1])
    team: str = Field(examples=["blue"])
    slug: str = Field(examples=["blue"])
    is_baseline: bool
    score: ScoreAnswer
    private: ScoreAnswer | None = Field(description="null until the reveal", examples=[None])
    num_entries: int = Field(examples=[12])
    last: datetime
    change: int = Field(description="places gained by the latest entry", examples=[2])
    is_new: bool

    @classmethod
    def of(cls, row: BoardRow) -> "RowAnswer":
        """Make one of a row."""
        return cls(
            rank=row.rank,
            band=row.band,
            team=row.team.name,
            slug=row.team.slug,
            is_baseline=row.team.is_baseline,
            score=ScoreAnswer.of(row.best),
            private=ScoreAnswer.of(row.private) if row.private else None,
            num_entries=row.num_entries,
            last=row.last,
            change=row.change,
            is_new=row.is_new,
        )


class BoardAnswer(Answer):
    """The scoreboard; `version` grows with everything that may change it."""

    version: int = Field(examples=[41])
    at: datetime
    state: State
    num_entries: int = Field(examples=[40])
    frozen_at: datetime | None
    rows: list[RowAnswer]

    @classmethod
    def of(cls, board: Board) -> "BoardAnswer":
        """Make one of a board."""
        return cls(
            version=board.version,
            at=board.at,
            state=board.state,
            num_entries=board.num_entries,
            frozen_at=board.frozen_at,
            rows=[RowAnswer.of(row) for row in board.rows],
        )


class EntryAnswer(Answer):
    """A scored submission, as its own team sees it."""

    id: str = Field(examples=["k3v9d2m7q4xw"])
    number: int = Field(examples=[3])
    received: datetime
    sha256: str = Field(examples=[SHA256])
    size_bytes: int = Field(examples=[290000])
    note: str = Field(examples=["wider stem"])
    hidden: bool
    score: ScoreAnswer
    private: ScoreAnswer | None = Field(description="null until the reveal", examples=[None])

    @classmethod
    def of(cls, entry: Entry) -> "EntryAnswer":
        """Make one of an entry."""
        return cls(
            id=entry.id,
            number=entry.number,
            received=entry.received,
            sha256=entry.sha256,
            size_bytes=entry.size_bytes,
            note=entry.note,
            hidden=entry.hidden,
            score=ScoreAnswer.of(entry.shown),
            private=ScoreAnswer.of(entry.private) if entry.private else None,
        )


class EntriesAnswer(Answer):
    """A team's own entries, oldest first; `next_slot` null or past means now."""

    team: str = Field(examples=["blue"])
    rank: int | None = Field(examples=[1])
    next_slot: datetime | None
    entries_left: int | None = Field(examples=[None])
    entries: list[EntryAnswer]

    @classmethod
    def of(cls, page: TeamPage) -> "EntriesAnswer":
        """Make one of a team's page."""
        entries = sorted(page.entries, key=lambda entry: entry.number)
        return cls(
            team=page.team.name,
            rank=page.rank,
            next_slot=page.next_slot,
            entries_left=page.entries_left,
            entries=[EntryAnswer.of(entry) for entry in entries],
        )


class ReceiptAnswer(Answer):
    """What an accepted submission is answered with."""

    id: str = Field(examples=["k3v9d2m7q4xw"])
    number: int = Field(examples=[3])
    team: str = Field(examples=["blue"])
    received: datetime
    sha256: str = Field(examples=[SHA256])
    size_bytes: int = Field(examples=[290000])
    score: ScoreAnswer
    note: str = Field(examples=["wider stem"])
    next_slot: datetime | None
    entries_left: int | None = Field(examples=[None])

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptAnswer":
        """Make one of a receipt."""
        entry = receipt.entry
        return cls(
            id=entry.id,
            number=entry.number,
            team=receipt.team_name,
            received=entry.received,
            sha256=entry.sha256,
            size_bytes=entry.size_bytes,
            score=ScoreAnswer.of(entry.shown),
            note=entry.note,
            next_slot=receipt.next_slot,
            entries_left=receipt.entries_left,
        )


class CheckAnswer(Answer):
    """A file that a submission would be taken from."""

    ok: bool = Field(examples=[True])
    num_images: int = Field(examples=[10000])
    sha256: str = Field(examples=[SHA256])
    size_bytes: int = Field(examples=[290000])


class RefusalAnswer(Answer):
    """Why something was refused; a refusal costs no slot."""

    reason: str = Field(examples=["quota"])
    message: str = Field(examples=["one entry every 2 hours; the next slot is at 14:00:00 UTC"])
    retry_at: datetime | None = Field(default=None, description="null where none will be")
    errors: list[str] = Field(default=[], description="all that is wrong with a malformed file")

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusalAnswer":
        """Make one of a refusal."""
        return cls(
            reason=refusal.reason,
            message=refusal.message,
            retry_at=refusal.retry_at,
            errors=list(refusal.errors),
        )
