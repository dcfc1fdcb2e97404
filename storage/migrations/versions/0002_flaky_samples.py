"""Samples whose verdict flipped when they were run again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "sample", sa.Column("flaky", sa.Boolean(), nullable=False, server_default=sa.false())
    )
