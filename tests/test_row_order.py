"""Does the outermost query say an order?"""

import pytest

from codelutra.row_order import is_ordered


@pytest.mark.parametrize(
    ("gold", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("SELECT a FROM t UNION SELECT 1 ORDER BY 1 LIMIT 3", True),
        ("WITH x AS (SELECT 1 ORDER BY 1) SELECT * FROM x", False),
        ("SELECT * FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT rank() OVER (ORDER BY a) FROM t", False),
        ("SELECT 'order by' FROM t", False),
        ("SELECT a FROM t ORDER /* by name */ BY a", True),
        ("SELECT a FROM t ORDER BY a /* open", True),
        ('SELECT "order" FROM t', False),
        ("SELECT [order by] FROM t", False),
    ],
)
def test_only_the_outermost_order_by_counts(gold: str, ordered: bool) -> None:
    assert is_ordered(gold) is ordered
