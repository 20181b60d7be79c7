"""Assignments, blind answers and gold items; and an index for what one person did."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "assignments",
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("user", sa.String(), sa.ForeignKey("users.name"), nullable=False, index=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
    )
    op.create_table(
        "golds",
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("revision_id", sa.String(), sa.ForeignKey("revisions.id"), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("original_id", sa.String(), sa.ForeignKey("samples.id"), nullable=False),
        sa.Column("original_revision", sa.String(), sa.ForeignKey("revisions.id"), nullable=False),
        sa.Column("user", sa.String(), sa.ForeignKey("users.name"), nullable=False, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.UniqueConstraint("original_id", "user"),
    )
    op.create_index("audit_by_actor", "audit", ["actor", "action", "number"])
