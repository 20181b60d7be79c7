"""Images, samples, revisions, reviews, suggestions, findings, leases and the audit chain."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _make_records()
    _make_what_happens_to_them()


def _make_records() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("added_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("added", sa.Integer(), nullable=False, unique=True),
        sa.Column("image_id", sa.String(), sa.ForeignKey("images.id"), nullable=False, index=True),
        sa.Column("head", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("updated_at", sa.String(), nullable=False, index=True),
        sa.Column("query", sa.Text()),
        sa.Column("reasoning_type", sa.String()),
        sa.Column("depth", sa.Integer()),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("no_target", sa.Boolean(), nullable=False),
        sa.Index("samples_by_state", "state", "added"),
        sa.Index("samples_by_type", "reasoning_type", "depth", "added"),
    )
    op.create_table(
        "revisions",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "sample_id", sa.String(), sa.ForeignKey("samples.id", deferrable=True, initially="DEFERRED"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.String()),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("edit", sa.String()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.UniqueConstraint("sample_id", "number"),
        sa.UniqueConstraint("sample_id", "edit"),
    )


def _make_what_happens_to_them() -> None:
    for name in ("reviews", "suggestions"):
        op.create_table(
            name,
            sa.Column("id", sa.String(), primary_key=True),
            sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), nullable=False, index=True),
            *(
                [sa.Column("revision_id", sa.String(), sa.ForeignKey("revisions.id"), nullable=False)]
                * (name == "reviews")
            ),
            sa.Column("created_at", sa.String(), nullable=False),
            sa.Column("body", sa.Text(), nullable=False),
        )
    op.create_table(
        "findings",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False, index=True),
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), index=True),
        sa.Column("image_id", sa.String(), sa.ForeignKey("images.id"), index=True),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False, index=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
