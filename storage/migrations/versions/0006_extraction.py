"""By which rule a sample's program was found; '' where it was graded before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("sample", sa.Column("extraction", sa.String(), nullable=False, server_default=""))
