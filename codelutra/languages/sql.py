"""SQL: one read-only query on a SQLite database."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codelutra.compare_published import as_spider_runs, bird_difference, spider_difference
from codelutra.compare_tables import tables_difference
from codelutra.languages.language import Language
from codelutra.row_order import is_ordered, variants
from codelutra.sandbox import ExecutionResult, Program

if TYPE_CHECKING:
    from codelutra.tasks.task import Task

OPENING = re.compile(
    r"""-- | /\* | \(\ *(?:\(|select\b|with\b|values\b|$) | select\b | values\ *\(
    | with\ +(?:recursive\ +)?["\[\w]+\]?\ *(?:\(|as\b|$)
    | explain\ +(?:query|select|with)\b | pragma\ +\w+(?:$|[ ;(=]) | insert\ +(?:or|into)\b
    | replace\ +into\b | update\ +\S+\ +set\b | delete\ +from\b
    | (?:create|drop|alter)\ +(?:temp\w*|table|view|index|unique|trigger|virtual)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# `From city.` has a slip.
CLAUSE = re.compile(
    r"(?:from|where|group|order|having|limit|offset|join|left|right|full|inner|cross|natural|on|and|or"
    r"|union|except|intersect|when|then|else|set|values|with|create|update|delete|insert)\b",
    re.IGNORECASE,
)


class Sql(Language):
    kind = "sql"
    fences = frozenset({"sql", "sqlite", "sqlite3"})
    opening = OPENING
    clause = CLAUSE
    matches = frozenset({"exact", "bird", "spider"})

    def program(self, task: "Task", source: str) -> Program:
        query = as_spider_runs(source) if task.match == "spider" else source
        return Program(self.kind, query, task.database, quoted_strings=task.quoted_strings)

    def difference(self, task: "Task", expected: Any, got: Any) -> str | None:
        match task.match:
            case "bird":
                return bird_difference(expected, got)
            case "spider":
                return spider_difference(expected, got, task.gold)
            case _:
                return tables_difference(expected, got, is_ordered(task.gold))

    def emptiness(self, value: Any) -> str:
        return "" if value.rows else "no rows"

    def variants(self, program: Program, result: ExecutionResult) -> Sequence[Program]:
        return variants(program, result.value.columns)


LANGUAGE = Sql()
