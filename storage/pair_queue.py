"""The queue of the Pairs tab: which pairs a filter shows, and in which order.

What a page costs does not grow with the pairs: it is found by an index from where the last one
ended, counts stop at COUNTED, and words are looked for in an index of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, bindparam, column, or_, text
from sqlmodel import Session, col, func, select

from storage.models import Iteration, utc_now
from storage.pair_models import PairWarning, PreferencePair
from storage.words import asked_for, marks

PAGE = 15
COUNTED = 1_000  # pairs; more than so many are "more than"
FOUND = 500  # the newest pairs with the words that are looked through: see is_cut
HELD_S = 120.0  # a pair that somebody opened and left is free again after this

Order = Literal["newest", "doubt", "random"]
# Each ends with the id, so that no two pairs have the same place.
ORDERS: dict[str, tuple[tuple[str, bool], ...]] = {  # (column, is descending)
    "newest": (("id", True),),
    "doubt": (("doubt", True), ("id", True)),
    "random": (("shuffle", False), ("id", False)),
}
LISTED = ("id", "task_id", "source", "rejected_verdict", "state", "reviewer", "doubt")
PLAIN = ("state", "task_id", "source", "rejected_verdict", "reviewer")


@dataclass(frozen=True)
class PairFilter:
    """Pairs of one run; what is empty does not narrow."""

    run_id: int
    iteration: int | None = None
    state: str = ""
    task_id: str = ""
    source: str = ""
    rejected_verdict: str = ""
    warning: str = ""
    reviewer: str = ""
    words: str = ""
    order: Order = "doubt"


@dataclass(frozen=True)
class Row:
    """A line of the list: everything but the programs."""

    id: int
    iteration: int
    task_id: str
    source: str
    rejected_verdict: str
    state: str
    reviewer: str
    doubt: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a pair stands in an order: the values of the order's columns."""

    order: Order
    values: tuple[Any, ...]


def place_of(pair: PreferencePair, order: Order) -> Place:
    return Place(order, tuple(getattr(pair, name) for name, _ in ORDERS[order]))


def page(
    session: Session, wanted: PairFilter, *, after: Place | None = None, limit: int = PAGE
) -> list[Row]:
    """The pairs behind `after`, or the first ones."""
    columns: Any = [*(getattr(PreferencePair, name) for name in LISTED), Iteration.number]
    query = _matching(session, select(*columns), wanted, after).join(
        Iteration, col(Iteration.id) == PreferencePair.iteration_id
    )
    found = session.exec(_ordered(query, wanted.order).limit(limit)).all()
    kinds = warnings_of(session, [row.id for row in found])
    return [
        Row(
            iteration=number,
            warnings=tuple(kinds.get(pair_id, ())),
            id=pair_id,
            **dict(zip(LISTED[1:], rest, strict=True)),
        )
        for pair_id, *rest, number in found
    ]


def neighbour(
    session: Session,
    wanted: PairFilter,
    *,
    of: Place,
    back: bool = False,
    holder: str = "",
) -> int | None:
    """The next pair (or the last one before it), without those that another `holder` looks at."""
    query = _matching(session, select(PreferencePair.id), wanted, of, back=back)
    if holder:
        query = query.where(is_free(holder))
    found: int | None = session.exec(_ordered(query, wanted.order, back=back).limit(1)).first()
    return found


def first(session: Session, wanted: PairFilter, *, holder: str = "") -> int | None:
    query = _matching(session, select(PreferencePair.id), wanted)
    if holder:
        query = query.where(is_free(holder))
    found: int | None = session.exec(_ordered(query, wanted.order).limit(1)).first()
    return found


def count(session: Session, wanted: PairFilter, *, at_most: int | None = COUNTED) -> int:
    """How many a filter shows; `at_most` + 1 says that there are more."""
    query = _matching(session, select(PreferencePair.id), wanted, is_whole=at_most is None)
    if at_most is not None:
        query = query.limit(at_most + 1)
    return session.exec(select(func.count()).select_from(query.subquery())).one()


def is_cut(session: Session, wanted: PairFilter) -> bool:
    """Whether more than FOUND pairs have the words, so that older ones are not looked through."""
    words = asked_for(wanted.words)
    return bool(words) and len(_newest_with(session, [*_marks(wanted), *words])) > FOUND


def matching_ids(session: Session, wanted: PairFilter) -> Any:
    """A query of the ids of all pairs that a filter shows, for a change to all of them."""
    return _matching(session, select(PreferencePair.id), wanted, is_whole=True)


def runs_with_pairs(session: Session) -> list[int]:
    """Newest first; one step through the index a run, however many pairs it has."""
    found: list[int] = []
    run_id = session.exec(select(func.max(PreferencePair.run_id))).one()
    while run_id is not None:
        found.append(run_id)
        earlier = select(func.max(PreferencePair.run_id)).where(PreferencePair.run_id < run_id)
        run_id = session.exec(earlier).one()
    return found


def is_free(holder: str) -> ColumnElement[bool]:
    stale = utc_now() - timedelta(seconds=HELD_S)
    held_at = col(PreferencePair.held_at)
    return or_(col(PreferencePair.holder).in_(("", holder)), held_at.is_(None), held_at < stale)


def _matching(
    session: Session,
    query: Any,
    wanted: PairFilter,
    after: Place | None = None,
    *,
    back: bool = False,
    is_whole: bool = False,
) -> Any:
    query = query.where(PreferencePair.run_id == wanted.run_id)
    for name in PLAIN:
        if value := getattr(wanted, name):
            query = query.where(getattr(PreferencePair, name) == value)
    if wanted.iteration is not None:
        number = select(Iteration.id).where(
            Iteration.run_id == wanted.run_id, Iteration.number == wanted.iteration
        )
        query = query.where(col(PreferencePair.iteration_id) == number.scalar_subquery())
    if wanted.warning:
        warned = select(PairWarning.pair_id).where(
            PairWarning.run_id == wanted.run_id, PairWarning.kind == wanted.warning
        )
        query = query.where(col(PreferencePair.id).in_(warned))
    if words := asked_for(wanted.words):
        words = [*_marks(wanted), *words]
        found = _with_words(session, words) if is_whole else _newest_with(session, words)[:FOUND]
        query = query.where(col(PreferencePair.id).in_(found))
    if after:
        assert after.order == wanted.order
        query = query.where(_behind(after, back))
    return query


def _marks(wanted: PairFilter) -> list[str]:
    return marks(wanted.run_id, wanted.rejected_verdict or None)


def _newest_with(session: Session, words: Sequence[str]) -> list[int]:
    """The FOUND newest pairs that have the words, and one more; read once a session."""
    known: dict[tuple[str, ...], list[int]] = session.info.setdefault("pairs with words", {})
    if tuple(words) not in known:
        found = session.exec(_with_words(session, words, FOUND + 1)).all()
        known[tuple(words)] = list(found)
    return known[tuple(words)]


def _with_words(session: Session, words: Sequence[str], at_most: int | None = None) -> Any:
    """Ids of the newest pairs that have all the words; one with a star may go on.

    SQLite reads all places of a word with a star, but only as many as asked for of others.
    """
    limit = "" if at_most is None else f" LIMIT {at_most}"
    if session.connection().dialect.name == "sqlite":
        query = (
            "SELECT rowid AS pair_id FROM pairwords WHERE words MATCH :terms "
            f"ORDER BY rowid DESC{limit}"
        )
        match = " AND ".join(f'"{word.rstrip("*")}"{"*" * word.endswith("*")}' for word in words)
    else:
        query = (
            "SELECT id AS pair_id FROM preferencepair WHERE "
            "array_to_tsvector(string_to_array(words, ' ')) @@ CAST(:terms AS tsquery) "
            f"ORDER BY id DESC{limit}"
        )
        match = " & ".join(
            f"'{word.rstrip('*')}'{':*' if word.endswith('*') else ''}" for word in words
        )
    found = text(query).bindparams(bindparam("terms", match)).columns(column("pair_id"))
    return select(found.subquery().c.pair_id)


def _behind(place: Place, back: bool) -> ColumnElement[bool]:
    """(a, b) < (x, y), written so that each database finds it by its index."""
    columns = [(col(getattr(PreferencePair, name)), down) for name, down in ORDERS[place.order]]
    ors = []
    for last in range(len(columns)):
        same = [
            column == value
            for (column, _), value in zip(columns[:last], place.values, strict=False)
        ]
        column, is_descending = columns[last]
        value = place.values[last]
        ors.append(and_(*same, column < value if is_descending != back else column > value))
    lead, is_descending = columns[0]
    bound = lead <= place.values[0] if is_descending != back else lead >= place.values[0]
    return and_(bound, or_(*ors))


def _ordered(query: Any, order: Order, *, back: bool = False) -> Any:
    for name, is_descending in ORDERS[order]:
        column = col(getattr(PreferencePair, name))
        query = query.order_by(column.desc() if is_descending != back else column.asc())
    return query


def warnings_of(session: Session, pair_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    query = select(PairWarning.pair_id, PairWarning.kind).where(
        col(PairWarning.pair_id).in_(pair_ids)
    )
    for pair_id, kind in session.exec(query.order_by(col(PairWarning.kind))):
        found.setdefault(pair_id, []).append(kind)
    return found
