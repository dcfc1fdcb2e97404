"""What a program printed, and how far a run's verdicts can be trusted."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("sample", sa.Column("output", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "ix_sample_graded",
        "sample",
        ["iteration_id", "id"],
        sqlite_where=sa.text("verdict IS NOT NULL"),
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.add_column(
        "run", sa.Column("is_unfenced", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("run", sa.Column("num_weak", sa.Integer(), nullable=False, server_default="0"))
