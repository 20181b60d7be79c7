"""What models' answers say about samples, and the changes that they propose."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "score_runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_index("ix_score_runs_created_at", "score_runs", ["created_at"])
    figures = ("mean_iou", "best_iou", "pass_rate", "agreement", "entropy", "vote_iou")
    op.create_table(
        "signals",
        sa.Column("run", sa.String(), sa.ForeignKey("score_runs.id"), primary_key=True),
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), primary_key=True),
        sa.Column("revision_id", sa.String(), sa.ForeignKey("revisions.id"), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in figures),
        sa.Column("reprompted_iou", sa.Double()),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_index("signals_by_sample", "signals", ["sample_id"])
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("sample_id", sa.String(), sa.ForeignKey("samples.id"), nullable=False),
        sa.Column("revision_id", sa.String(), sa.ForeignKey("revisions.id"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("decision", sa.Text()),
        sa.Column("made", sa.String()),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_index("ix_proposals_sample_id", "proposals", ["sample_id"])
    op.create_index("ix_proposals_made", "proposals", ["made"])
    op.create_index("proposals_listed", "proposals", ["score", "id"])
