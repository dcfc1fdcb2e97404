"""Runs that belong together: an ablation."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "ablation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("run", sa.Column("ablation_id", sa.Integer(), nullable=True))
    op.create_index("ix_run_ablation_id", "run", ["ablation_id"])
