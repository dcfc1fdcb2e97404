"""One event, one line, whatever it says."""

import json
import logging
import sys
from pathlib import Path

import pytest

from codelutra.errors import CodeLutraError
from codelutra.log_lines import JsonLines, TextLines, formatter, one_event
from codelutra.run_log import log_line
from codelutra.worker_log import log_to
from storage import db, jobs

FORGED = "wrong\r\n2026-01-01 00:00:00,000 ERROR codelutra.worker: run 7 failed\x1b[2J\u2028\x85x"


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("codelutra.x", logging.INFO, "", 0, "said %s", (message,), None)
    made.__dict__.update(extra)
    return made


def test_text_for_people_keeps_what_a_program_wrote_below_its_event() -> None:
    first, second = TextLines().format(record(FORGED)).splitlines()
    assert first.endswith(r"INFO codelutra.x: said wrong\r")
    assert second.startswith("    2026-01-01 00:00:00,000 ERROR")
    assert second.endswith(r"failed\x1b[2J\u2028\x85x")


def test_json_is_one_object_a_line_with_run_and_iteration() -> None:
    (line,) = JsonLines().format(record(FORGED, run=3, iteration=2)).splitlines()
    event = json.loads(line)
    assert event["message"] == f"said {FORGED}"
    assert (event["run"], event["iteration"]) == (3, 2)
    assert (event["level"], event["logger"]) == ("INFO", "codelutra.x")
    assert event["time"].endswith("+00:00")
    (line,) = JsonLines().format(record("")).splitlines()
    assert json.loads(line)["run"] is None


def test_a_trace_belongs_to_its_event() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        failed = record("it")
        failed.exc_info = sys.exc_info()
    head, *rest = TextLines().format(failed).splitlines()
    assert head.endswith("said it")
    assert all(line.startswith("    ") for line in rest)
    assert "2026-01-01" in json.loads(JsonLines().format(failed))["trace"]


def test_one_variable_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(formatter(), TextLines)
    monkeypatch.setenv("CODELUTRA_LOG", "json")
    assert isinstance(formatter(), JsonLines)
    monkeypatch.setenv("CODELUTRA_LOG", "xml")
    with pytest.raises(CodeLutraError, match="write text or json"):
        formatter()


def test_the_workers_log_and_a_runs_own_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODELUTRA_LOG", "json")
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.getLogger("dbos"), "handlers", [])
    jobs.prepare(home)
    with db.open_session() as session:
        run = jobs.submit(session, config={}, name="a", num_train=1, num_heldout=1)
        run_id = run.id or 0
    log_to(home / "worker.log")
    log_line(run_id, FORGED, iteration=2)
    logging.getLogger("httpx2").info("GET https://host/?signature=planted")
    events = [json.loads(line) for line in (home / "worker.log").read_text().splitlines()]
    assert [(event["run"], event["iteration"]) for event in events] == [(run_id, 2)]
    lines = (home / "runs" / str(run_id) / "run.log").read_text().splitlines()
    assert [line.startswith("    ") for line in lines] == [False, True]


def test_plain_words_stay_as_they_are() -> None:
    assert one_event("é, 中文\tand 100 %") == "é, 中文\tand 100 %"
