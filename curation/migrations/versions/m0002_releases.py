"""Releases and their items."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "release_items",
        sa.Column("release", sa.String(), sa.ForeignKey("releases.name"), primary_key=True),
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("image_id", sa.String(), sa.ForeignKey("images.id"), nullable=False),
        sa.Column("revision_id", sa.String(), sa.ForeignKey("revisions.id"), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Index("release_items_by_image", "release", "split", "image_id", "sample_id"),
    )
