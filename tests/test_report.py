"""A run's report: one HTML file without any network, and Markdown, with the run's own numbers."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from codelutra.cli import main
from codelutra.report import report, solved_counts
from codelutra.report_text import as_html, as_markdown
from codelutra.run_folder import RunFolder
from codelutra.svg_charts import Line, Part, Point, line_chart, stacked_bars
from tests.finished_run import (
    Run,
    adapters,
    add_graded,
    fill,
    filled,
    new_run,
    run,
)
from tests.lab import database

__all__ = ["adapters", "database", "fill", "filled", "new_run", "run"]
VOID = {"meta", "br", "hr"}


class Balanced(HTMLParser):
    """Every element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def write(run: str, out: Path) -> int:
    return main(["report", run, "--out", str(out)])


def test_the_report_is_one_file_with_charts_and_nothing_to_load(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert write(run.name, out) == 0
    html = out.read_text("utf-8")
    assert html.count("<svg") == 3  # no times were recorded
    assert not re.search(r"<script|src=|href=|@import|url\(http", html)
    assert len(html) < 60_000
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []


def test_the_numbers_are_those_of_the_run(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    assert write(run.name, out) == 0
    text = out.read_text("utf-8")
    # Of seven graded tasks 2 were solved, after iteration 2 it is 6 of 8; of the 7 in common
    # 4 were fixed and none broke.
    assert "Base: 28.6 % (8.2 to 64.1). After 2 of 3 iterations: 75.0 % (40.9 to 92.9)." in text
    assert "| base | iteration 1 | 1 | 0 | 2 | 4 |" in text
    assert "| iteration 1 | iteration 2 | 3 | 0 | 3 | 2 |" in text
    assert "+57.1 points" in text
    assert "| base | 2 | 3 | 2 | 1 |" in text  # verdicts
    assert str(tmp_path) not in text  # where things are is nobody's business
    assert "my|set.jsonl".replace("|", r"\|") in text


def test_folder_and_dashboard_give_the_same_report(filled: RunFolder, tmp_path: Path) -> None:
    html, markdown = as_html(report(filled, name="x")), as_markdown(report(filled, name="x"))
    tables = [block for block in report(filled, name="x") if type(block).__name__ == "Table"]
    for table in tables:
        for row in table.rows:  # type: ignore[union-attr]
            assert all(cell.replace("&", "&amp;")[:12].split("<")[0] in html for cell in row)
    assert markdown.startswith("# x: ")


def test_a_run_that_has_measured_nothing_says_so(new_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = new_run()
    assert "Nothing is measured yet." in as_markdown(report(made.ledger))
    add_graded(made.ledger, 0, "heldout", "cw")
    text = as_markdown(report(made.ledger))
    assert "Base: 50.0 % (9.5 to 90.5). No iteration is evaluated yet, of 3 planned." in text


def test_the_name_and_status_of_the_dashboard_are_text(filled: RunFolder) -> None:
    evil = "<script>alert(1)</script>|*x*"
    blocks = report(filled, name=evil, status="failed")
    assert "<script" not in as_html(blocks)
    assert r"\<script>alert(1)\</script>|\*x\*" in as_markdown(blocks)
    assert "The run is failed." in as_html(blocks)


@pytest.mark.parametrize("name", ["report.pdf", "report"])
def test_another_ending_is_refused(name: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert write("x", tmp_path / name) == 2
    assert "a report is written to .html or .md" in capsys.readouterr().err


def test_counts_of_a_task_leave_harness_errors_out(filled: RunFolder) -> None:
    add_graded(filled, 3, "train", "cwh")
    assert solved_counts(filled.samples(3, "train")) == {(1, 1): 1, (1, 0): 1}


def test_charts_of_one_point_and_of_none_are_drawn() -> None:
    one = line_chart("t", ["base"], [Line("a", [Point(0, 50, 40, 60)])])
    assert one.count("<circle") == 1
    assert line_chart("t", [], []).endswith("</svg>")
    bars = stacked_bars("t", ["base", "1"], [Part("<c>", "#009e73", [60, 0])])
    assert bars.count("<rect") == 2  # one bar and its sign in the legend: nothing has no height
    assert "&lt;c&gt;" in bars
