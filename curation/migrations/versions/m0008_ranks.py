"""What samples are sorted by, of signals and proposals, as columns with an index each."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_FIGURES = {
    "unsolved": "best_iou",
    "disagreeing": "vote_iou",
    "ambiguous": "-entropy",
    "boundary": "reprompted_iou",
    "easiest": "-mean_iou",
}
_NEWEST = """
    (SELECT {figure} FROM signals JOIN score_runs ON score_runs.id = signals.run
    WHERE signals.sample_id = samples.id AND signals.revision_id = samples.head
    ORDER BY score_runs.created_at DESC, score_runs.id LIMIT 1)
"""
_SUREST = """
    (SELECT -max(score) FROM proposals
    WHERE proposals.sample_id = samples.id AND proposals.revision_id = samples.head AND proposals.decision IS NULL)
"""


def upgrade() -> None:
    for name in (*_FIGURES, "proposed"):
        op.add_column("samples", sa.Column(name, sa.Double()))
    _fill(op.get_bind())
    for name in (*_FIGURES, "proposed"):
        op.create_index(f"samples_by_{name}", "samples", [name, "added"])


def _fill(connection: sa.Connection) -> None:
    ranks = ", ".join(f"{name} = {_NEWEST.format(figure=figure)}" for name, figure in _FIGURES.items())
    for changes, known in ((ranks, "signals"), (f"proposed = {_SUREST}", "proposals")):
        connection.execute(sa.text(f"UPDATE samples SET {changes} WHERE id IN (SELECT sample_id FROM {known})"))
