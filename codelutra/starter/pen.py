"""The pen that writes every program, and the mistakes it may make while writing.

Public code holds mistakes, and a model learns them as habits. Here each habit
is a named place in the grammar with a known rate, so that what refinement has
to unlearn is known exactly. Golds and corpus come from the same functions: a
pen without a random generator never errs.

A rate above one half makes the wrong form the more likely one: greedy decoding
then fails, while one of ten samples usually still hits the right form. Rates
depend on the construct only, never on the wording of the question, so what is
unlearned on one wording carries over to another.
"""

import random
from collections.abc import Set

# Wrong programs that still parse: share of the places where the wrong form stands.
HABITS: dict[str, float] = {
    # SQL
    "sql_ge": 0.64,  # > for >=
    "sql_le": 0.30,  # < for <=
    "sql_avg": 0.30,  # SUM for AVG
    "sql_distinct": 0.64,  # DISTINCT forgotten
    "sql_and": 0.25,  # second condition forgotten
    "sql_or": 0.64,  # OR beside AND without parentheses
    "sql_desc": 0.64,  # DESC forgotten
    "sql_limit": 0.25,  # one row too many
    "sql_null": 0.64,  # = NULL for IS NULL
    "sql_having": 0.64,  # HAVING forgotten
    "sql_not_in": 0.30,  # IN for NOT IN
    "sql_between": 0.64,  # upper bound left out
    "sql_join_key": 0.30,  # joined on id = id
    "sql_group_key": 0.64,  # grouped, but the key not selected
    "sql_case": 0.30,  # integer division
    "sql_above": 0.25,  # < for > against the average
    # Python
    "py_ge": 0.30,  # > for >=
    "py_le": 0.64,  # < for <=
    "py_mean": 0.64,  # sum for mean
    "py_median": 0.64,  # mean for median
    "py_mask": 0.64,  # no parentheses around the parts of a mask
    "py_and": 0.20,  # and for &
    "py_ascending": 0.64,  # ascending=False forgotten
    "py_head": 0.25,  # one row too few
    "py_nunique": 0.30,  # count for nunique
    "py_idxmax": 0.64,  # max for idxmax
    "py_idxmin": 0.30,  # idxmax for idxmin
    "py_fillna": 0.30,  # dropna for fillna
    "py_isna": 0.64,  # count for sum after isna
    "py_where": 0.25,  # branches swapped
    "py_ratio": 0.30,  # division turned round
    "py_isin": 0.64,  # values not in a list
    "py_rows": 0.64,  # axis=0 for axis=1
    "py_columns": 0.20,  # axis=1 for axis=0
    "py_last": 0.64,  # colon of the slice forgotten
    "py_first": 0.25,  # one element too few
    "py_abs": 0.64,  # abs forgotten
    "py_cumsum": 0.64,  # sum for cumsum
    "py_clip": 0.25,  # bounds swapped
    "py_center": 0.64,  # no parentheses around a difference
    "py_place": 0.25,  # counted from one
    "py_pick": 0.30,  # a row picked for a column
}

# Programs that no longer parse: share of the places where the slip stands.
SLIPS: dict[str, float] = {
    "sql_call": 0.06,  # ) of a call
    "sql_distinct_close": 0.15,  # ) after COUNT(DISTINCT x
    "sql_subquery": 0.15,  # ) of a subquery
    "sql_quote": 0.05,  # closing quote
    "sql_group": 0.08,  # BY after GROUP
    "sql_order": 0.08,  # BY after ORDER
    "sql_comma": 0.10,  # comma between selected columns
    "py_bracket": 0.05,  # ] of a selection
    "py_call": 0.05,  # ) of a call
    "py_quote": 0.03,  # closing quote of a value
    "py_equal": 0.10,  # = for ==
    "py_comma": 0.12,  # comma between arguments
    "py_colon": 0.15,  # colon after for and if
}


class Pen:
    """Writes the right form, or now and then the wrong one."""

    def __init__(self, rng: random.Random | None = None, forced: Set[str] = frozenset()) -> None:
        """`rng` None never errs, except at the places named in `forced`."""
        self._rng = rng
        self._forced = forced
        self.met: list[str] = []
        self.erred: list[str] = []

    def habit(self, name: str, right: str, wrong: str) -> str:
        """A mistake that leaves a program which parses."""
        return self._write(name, HABITS[name], right, wrong)

    def slip(self, name: str, right: str, wrong: str = "") -> str:
        """A mistake that breaks the syntax."""
        return self._write(name, SLIPS[name], right, wrong)

    def _write(self, name: str, rate: float, right: str, wrong: str) -> str:
        self.met.append(name)
        errs = name in self._forced if self._rng is None else self._rng.random() < rate
        if errs:
            self.erred.append(name)
        return wrong if errs else right
