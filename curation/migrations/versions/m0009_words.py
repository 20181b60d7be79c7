"""An index for texts, the findings' rank as a column, and indices that hold all that a page's order looks at."""

import sqlalchemy as sa
from alembic import op

from whyseg.curation import searching

revision = "0009"
down_revision = "0008"

# The worst severity first, then the most findings.
_WORST = """
    (SELECT min(CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 WHEN 'info' THEN 2 ELSE 3 END) * 1000000.0
    - count(*) FROM findings AS f WHERE f.sample_id = samples.id AND f.gone_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM set_aside AS a WHERE a.finding_id = f.id AND a.says = f.says))
"""


def upgrade() -> None:
    op.add_column("samples", sa.Column("findings", sa.Double()))
    _fill(op.get_bind())
    op.drop_index("ix_samples_updated_at", "samples")
    op.create_index("samples_by_updated", "samples", ["updated_at", "added"])
    op.create_index("samples_by_depth", "samples", ["depth", "added"])
    op.create_index("samples_by_no_target", "samples", ["no_target", "added"])
    op.create_index("samples_by_findings", "samples", ["findings", "added"])
    op.create_index("samples_counted", "samples", ["state", "reasoning_type", "depth", "no_target", "instances"])
    searching.make(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    changed = f"UPDATE samples SET findings = {_WORST} WHERE id IN (SELECT sample_id FROM findings)"
    connection.execute(sa.text(changed))
