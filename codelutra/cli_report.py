"""The command `report`: a run as one HTML file, or as Markdown for a paper's appendix."""

import argparse
from pathlib import Path
from typing import Any

from codelutra.cli_export import opened_run
from codelutra.errors import CodeLutraError


def add_commands(commands: Any) -> None:
    report = commands.add_parser("report", help="a run's results as one HTML file or as Markdown")
    report.add_argument(
        "of_run", metavar="RUN", help="a run's folder, or its number on the dashboard"
    )
    report.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="report.html or report.md"
    )
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from codelutra.report import report
    from codelutra.report_text import as_html, as_markdown

    writers = {".html": as_html, ".md": as_markdown}
    write = writers.get(options.out.suffix.lower())
    if write is None:
        raise CodeLutraError(f"--out {options.out}: a report is written to .html or .md")
    name = f"Run {options.of_run}" if options.of_run.isdecimal() else ""
    with opened_run(options.of_run) as ledger:
        written = write(report(ledger, name=name))
    options.out.expanduser().write_text(written, encoding="utf-8")
    print(f"the report is in {options.out}")
    return 0
