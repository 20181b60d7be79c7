"""Findings that somebody set aside; severity, and what a finding says, as columns of their own."""

import json

import sqlalchemy as sa
from alembic import op

from whyseg.schemas.canonical import content_hash

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("findings", sa.Column("severity", sa.String(), nullable=False, server_default="warning"))
    op.add_column("findings", sa.Column("says", sa.String(), nullable=False, server_default=""))
    _fill(op.get_bind())
    listed = ["gone_at", "created_at", "id", "severity", "kind", "sample_id", "says"]
    op.create_index("findings_listed", "findings", listed)
    op.create_table(
        "set_aside",
        sa.Column("finding_id", sa.String(), sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("says", sa.String(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
    )


def _fill(connection: sa.Connection) -> None:
    findings = sa.table("findings", sa.column("id"), sa.column("body"), sa.column("severity"), sa.column("says"))
    written = sa.update(findings).where(findings.c.id == sa.bindparam("key"))
    bodies = [(key, json.loads(body)) for key, body in connection.execute(sa.select(findings.c.id, findings.c.body))]
    for key, body in bodies:
        says = content_hash([body["message"], body.get("evidence", {})])
        connection.execute(written, {"key": key, "severity": body["severity"], "says": says})
