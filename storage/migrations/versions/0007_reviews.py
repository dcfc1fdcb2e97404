"""Review of pairs: their state and its history, warnings, trials, and an index of their words."""

import random
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.words import words_of

revision = "0007"
down_revision = "0006"

AT_ONCE = 1000
# Of the queue's orders, each alone and behind the filters that are used most.
INDEXES = (
    ("run_id", "id"),
    ("run_id", "doubt", "id"),
    ("run_id", "shuffle", "id"),
    ("run_id", "state", "id"),
    ("run_id", "state", "doubt", "id"),
    ("run_id", "state", "shuffle", "id"),
    ("run_id", "rejected_verdict", "id"),
    ("run_id", "rejected_verdict", "state", "doubt", "id"),
    ("run_id", "task_id", "id"),
    ("run_id", "reviewer", "id"),
    ("run_id", "source", "id"),
)
FULL_TEXT = (
    """CREATE VIRTUAL TABLE pairwords USING fts5(words, content='preferencepair',
    content_rowid='id', tokenize="unicode61 remove_diacritics 0 tokenchars '_'")""",
    """CREATE TRIGGER pairwords_insert AFTER INSERT ON preferencepair BEGIN
    INSERT INTO pairwords(rowid, words) VALUES (new.id, new.words); END""",
    """CREATE TRIGGER pairwords_update AFTER UPDATE OF words ON preferencepair BEGIN
    INSERT INTO pairwords(pairwords, rowid, words) VALUES ('delete', old.id, old.words);
    INSERT INTO pairwords(rowid, words) VALUES (new.id, new.words); END""",
    """CREATE TRIGGER pairwords_delete AFTER DELETE ON preferencepair BEGIN
    INSERT INTO pairwords(pairwords, rowid, words) VALUES ('delete', old.id, old.words); END""",
)


def upgrade() -> None:
    _iterations()
    _pairs()
    _reviews()
    op.create_table(
        "pairwarning",
        sa.Column("pair_id", sa.Integer(), sa.ForeignKey("preferencepair.id"), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("run_id", sa.Integer(), nullable=False),
    )
    op.create_index(
        "ix_pairwarning_run_id_kind_pair_id", "pairwarning", ["run_id", "kind", "pair_id"]
    )
    _trials()
    _fill()
    _words()


def _iterations() -> None:
    op.add_column("iteration", sa.Column("frozen_review", sa.Integer(), nullable=True))
    op.add_column("iteration", sa.Column("review", sa.JSON(), nullable=True))
    op.add_column("iteration", sa.Column("review_attempt", sa.Integer(), nullable=True))


def _add(table: str, kind: type[sa.types.TypeEngine[Any]], default: str, *names: str) -> None:
    for name in names:
        op.add_column(table, sa.Column(name, kind(), nullable=False, server_default=default))


def _pairs() -> None:
    table = "preferencepair"
    _add(table, sa.Integer, "0", "run_id", "shuffle", "version")
    _add(table, sa.String, "sampled", "source")
    _add(table, sa.String, "", "rejected_verdict", "reason", "reviewer", "holder")
    _add(table, sa.Text, "", "words")
    _add(table, sa.Float, "0", "doubt")
    _add(table, sa.String, "pending", "state")
    op.add_column(table, sa.Column("prompt", sa.Text(), nullable=True))
    op.add_column(table, sa.Column("chosen_trial_id", sa.Integer(), nullable=True))
    op.add_column(table, sa.Column("rejected_trial_id", sa.Integer(), nullable=True))
    op.add_column(table, sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    for columns in INDEXES:
        op.create_index("ix_preferencepair_" + "_".join(columns), table, list(columns))


def _reviews() -> None:
    table = "review"
    _add(table, sa.Integer, "0", "run_id", "version")
    _add(table, sa.Text, "", "note")
    _add(table, sa.String, "", "batch", "was_reason", "was_reviewer")
    _add(table, sa.String, "pending", "was_state")
    op.add_column(
        table, sa.Column("undone", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name, kind in (
        ("was_chosen", sa.Text),
        ("was_rejected", sa.Text),
        ("was_chosen_trial_id", sa.Integer),
        ("was_rejected_trial_id", sa.Integer),
    ):
        op.add_column(table, sa.Column(name, kind(), nullable=True))
    op.create_index(
        "ix_review_run_id_reviewer_undone_id", table, ["run_id", "reviewer", "undone", "id"]
    )
    op.create_index("ix_review_batch_id", table, ["batch", "id"])


def _trials() -> None:
    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("tasks", sa.String(), nullable=False),
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("completion", sa.Text(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), sa.ForeignKey("preferencepair.id"), nullable=True),
        sa.Column("pair_version", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("is_edit", sa.Boolean(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_trial_pair_id", "trial", ["pair_id"])


def _words() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in FULL_TEXT:
            op.execute(statement)
        # Older pairs: the trigger on their update would take out words that were never put in.
        op.execute("INSERT INTO pairwords(pairwords) VALUES ('rebuild')")
    else:
        op.execute(
            "CREATE INDEX ix_preferencepair_words ON preferencepair "
            "USING gin (array_to_tsvector(string_to_array(words, ' ')))"
        )


def _fill() -> None:
    """Older pairs can be searched and filtered like new ones; warnings they have none."""
    connection, last = op.get_bind(), 0
    read = sa.text(
        "SELECT p.id, i.run_id, p.task_id, p.chosen, p.rejected, s.verdict, p.chosen_index "
        "FROM preferencepair p JOIN iteration i ON i.id = p.iteration_id "
        "LEFT JOIN sample s ON s.iteration_id = p.iteration_id AND s.split = 'train' "
        'AND s.task_id = p.task_id AND s."index" = p.rejected_index '
        "WHERE p.id > :last ORDER BY p.id LIMIT :most"
    )
    write = sa.text(
        "UPDATE preferencepair SET run_id = :run, words = :words, rejected_verdict = :verdict, "
        "shuffle = :shuffle, source = :source WHERE id = :id"
    )
    while rows := connection.execute(read, {"last": last, "most": AT_ONCE}).all():
        last = rows[-1].id
        values = [
            {
                "id": row.id,
                "run": row.run_id,
                "words": words_of(
                    row.chosen, row.rejected, row.task_id, run_id=row.run_id, verdict=row.verdict
                ),
                "verdict": row.verdict or "",
                "shuffle": random.getrandbits(31),
                "source": "gold" if row.chosen_index is None else "sampled",
            }
            for row in rows
        ]
        connection.execute(write, values)
    # A review used to be a veto or nothing; the newest one counted.
    connection.execute(
        sa.text(
            "UPDATE review SET run_id = (SELECT run_id FROM preferencepair p "
            "WHERE p.id = review.pair_id)"
        )
    )
    connection.execute(
        sa.text(
            "UPDATE preferencepair SET state = 'vetoed' WHERE id IN (SELECT r.pair_id FROM review "
            "r WHERE r.action = 'veto' AND r.id = (SELECT MAX(n.id) FROM review n "
            "WHERE n.pair_id = r.pair_id))"
        )
    )
