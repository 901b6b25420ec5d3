"""Find the latest refusals of a team without reading the whole audit log."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index(op.f("ix_audit_team_id_at"), "audit", ["team_id", "at"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(op.f("ix_audit_team_id_at"), "audit")
