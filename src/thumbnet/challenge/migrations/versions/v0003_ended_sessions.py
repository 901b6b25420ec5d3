"""Know the sessions that were ended by logging out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ended_session",
        sa.Column("nonce_hash", sa.String(64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_ended_session")),
    )


def downgrade() -> None:
    """Drop the table: a session that was ended goes on until its cookie is too old."""
    op.drop_table("ended_session")
