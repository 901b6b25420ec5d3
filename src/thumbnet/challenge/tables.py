"""The tables of a challenge's database, the same in SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept as whole microseconds since 1970: compares exactly in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware time into microseconds."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into a time in UTC."""
        del dialect
        return None if value is None else EPOCH + value * MICROSECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row. `version` grows by one with each commit that may change the board; `history_version` is
# the version at which something else than a new entry last did.
challenge = Table(
    "challenge",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("opens", Moment, nullable=False),
    Column("closes", Moment, nullable=False),
    Column("quota_us", BigInteger, nullable=False),
    Column("max_entries", Integer),
    Column("metric", String(8), nullable=False),
    Column("rounding", Float, nullable=False),
    Column("ladder", Boolean, nullable=False),
    Column("ladder_step", Float, nullable=False),
    Column("public_share", Float, nullable=False),
    Column("created", Moment, nullable=False),
    Column("frozen_at", Moment),
    Column("revealed_at", Moment),
    Column("admin_hash", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("history_version", BigInteger, nullable=False),
)

# One row: what is asked, and the answers. Arrays are compressed, see `blobs`.
truth = Table(
    "truth",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("names", LargeBinary, nullable=False),
    Column("wnids", JSON, nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("labels", LargeBinary, nullable=False),
    Column("public", LargeBinary, nullable=False),
)

# `skeleton` is what remains of a name once letters that look alike are made equal.
# `last_entry_at` and `num_entries` decide the next slot; both count hidden entries too.
team = Table(
    "team",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("slug", String(80), nullable=False, unique=True),
    Column("skeleton", Text, nullable=False, unique=True),
    Column("created", Moment, nullable=False),
    Column("is_baseline", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("last_entry_at", Moment),
    Column("num_entries", Integer, nullable=False),
)

# `version` is the challenge's at the commit, so it orders entries as they were committed.
# `correct` has one bit an image, in the order of truth.names.
entry = Table(
    "entry",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("team_id", ForeignKey("team.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", BigInteger, nullable=False, unique=True),
    Column("received", Moment, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("correct_public", Integer, nullable=False),
    Column("correct_private", Integer, nullable=False),
    Column("correct", LargeBinary, nullable=False),
    Column("predictions", LargeBinary, nullable=False),
    UniqueConstraint("team_id", "number"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", Text, nullable=False),
    Column("team_id", ForeignKey("team.id")),
    Column("details", JSON, nullable=False),
    Index(None, "team_id", "at"),
)

# Sessions that were ended by logging out. `until` is when the cookie is too old anyway.
ended_session = Table(
    "ended_session",
    metadata,
    Column("nonce_hash", String(64), primary_key=True),
    Column("until", Moment, nullable=False),
)

COPY_ORDER = (
    challenge,
    truth,
    team,
    entry,
    audit,
    ended_session,
)  # what others refer to comes first
