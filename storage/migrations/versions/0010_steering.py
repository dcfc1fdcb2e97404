"""Where a run is to end, notes and tags on runs, and what the machine is doing."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("run", sa.Column("stop_after", sa.Integer(), nullable=True))
    for name in ("note", "tags"):
        op.add_column("run", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "gauge",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
    )
