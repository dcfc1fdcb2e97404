"""Small sets in the form in which the real ones are distributed, and where the real ones are."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from codelutra.tasks.task import Task

DATA = Path(os.environ.get("CODELUTRA_DATA") or Path(__file__).parents[3] / "shared" / "data")
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="set CODELUTRA_DATA to the real data")
IS_FULL = "CODELUTRA_FULL" in os.environ  # nothing is left to samples


def patient(task: Task) -> Task:
    """Its gold may take five seconds of a fast machine: no verdict shall hang on the machine."""
    return task.model_copy(update={"timeout_s": 5 * max(task.timeout_s, 12)})


def write_database(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        'CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, "home town" TEXT);'
        "CREATE TABLE song (singer INTEGER REFERENCES singer (id), place INTEGER, title TEXT,"
        " PRIMARY KEY (singer, place));"
        "INSERT INTO singer VALUES (1, 'Ann', 'O''Hara'), (2, 'Bob', NULL);"
    )
    connection.close()


def spider_row(number: int, database: str = "music", **changes: Any) -> dict[str, Any]:
    query = f"SELECT name FROM singer WHERE id = {number}"
    return {"db_id": database, "question": f"Who is {number}?", "query": query, **changes}


def write_spider(folder: Path, rows: list[dict[str, Any]], databases: tuple[str, ...]) -> Path:
    folder.mkdir(exist_ok=True)
    for name in databases:
        write_database(folder / "database" / name / f"{name}.sqlite")
    (folder / "dev.json").write_text(json.dumps(rows))
    (folder / "tables.json").write_text('[{"db_id": "music", "table_names": ["singer"]}]')
    return folder


MBPP = {
    "task_id": 11,
    "text": "Write a function to add.",
    "code": "import math\r\n\r\ndef helper(x):\r\n  return x\r\n\r\ndef add(a,\r\n        b):\r\n"
    "  return helper(a) + b",
    "test_setup_code": "ONE = 1",
    "test_list": ["assert add(ONE, 2) == 3", "assert add(20, 22) == 42"],
}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'import math\n\n\ndef add(a, b):\n    """Add.\n    >>> add(1, 1)\n    2\n    """\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(20, 22) == 42\n",
}

DS1000_CONTEXT = '''
import pandas as pd
import numpy as np
import copy
import tokenize, io


def generate_test_case(test_case_id):
    def generate_ans(data):
        df, factor = data
        df["total"] = df["price"] * factor
        return df.set_index("name")["total"]

    def define_test_input(test_case_id):
        if test_case_id == 1:
            df = pd.DataFrame({"name": ["a", "b"], "price": [1, 2]})
        if test_case_id == 2:
            df = pd.DataFrame({"name": list("abc"), "price": np.random.randint(1, 9, 3)})
        return df, 3

    test_input = define_test_input(test_case_id)
    expected_result = generate_ans(copy.deepcopy(test_input))
    return test_input, expected_result


def exec_test(result, ans):
    try:
        pd.testing.assert_series_equal(result, ans, check_dtype=False)
        return 1
    except:
        return 0


exec_context = r"""
import pandas as pd
import numpy as np
df, factor = test_input
[insert]
"""


def test_execution(solution: str):
    code = exec_context.replace("[insert]", solution)
    for i in range(2):
        test_input, expected_result = generate_test_case(i + 1)
        test_env = {"test_input": test_input}
        exec(code, test_env)
        assert exec_test(test_env["result"], expected_result)


def test_string(solution: str):
    tokens = [token.string for token in tokenize.tokenize(io.BytesIO(solution.encode()).readline)]
    assert "for" not in tokens and "while" not in tokens
'''
DS1000 = {
    "prompt": "Problem:\nMultiply.\nA:\n<code>\ndf, factor = load_data()\n</code>\n"
    "result = ... # put solution in this variable\nBEGIN SOLUTION\n<code>\n",
    "reference_code": 'df["total"] = df["price"] * factor\n'
    'result = df.set_index("name")["total"]\n',
    "code_context": DS1000_CONTEXT,
    "metadata": {
        "problem_id": 7,
        "library_problem_id": 7,
        "library": "Pandas",
        "test_case_cnt": 2,
        "perturbation_type": "Semantic",
        "perturbation_origin_id": 3,
    },
}
