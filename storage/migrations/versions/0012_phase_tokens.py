"""Tokens that a phase generated."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "phasetime", sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0")
    )
