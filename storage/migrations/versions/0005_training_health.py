"""Validation scores, what became of the pairs, alerts, and what an adapter was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("iteration", sa.Column("validation", sa.JSON(), nullable=True))
    op.add_column("iteration", sa.Column("training", sa.JSON(), nullable=True))
    op.add_column(
        "run", sa.Column("num_validation", sa.Integer(), nullable=False, server_default="0")
    )
    for name in ("config_sha256", "data_sha256"):
        op.add_column("adapter", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.create_table(
        "alert",
        sa.Column("iteration_id", sa.Integer(), sa.ForeignKey("iteration.id"), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
