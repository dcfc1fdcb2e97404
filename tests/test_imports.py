"""The arrows of the design: app -> pages -> storage, pages -> a few engine types, never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "vllm", "transformers", "trl", "peft", "datasets"}
DATABASE_PARTS = {  # of the engine
    *("worker.py", "run_rows.py", "check_rows.py", "trial_rows.py", "measured.py", "run_log.py"),
    *("compare_rows.py", "engine_room.py", "batch_rows.py"),
    *("pair_rows.py", "import_rows.py", "row_records.py", "errand_watch.py"),
    *("backup.py", "snapshots.py", "moving.py", "cleaning.py", "worker_log.py"),
    *("worker_locks.py", "lost_database.py"),
}
PAGES_MAY_IMPORT = {
    "codelutra",
    "codelutra.ablation",
    "codelutra.backends",
    "codelutra.bundle",
    "codelutra.code_tokens",
    "codelutra.config",
    "codelutra.config_rows",
    "codelutra.config_text",
    "codelutra.disk_watch",
    "codelutra.errors",
    "codelutra.evaluation",
    "codelutra.fit",
    "codelutra.fit_terms",
    "codelutra.log_lines",
    "codelutra.machine",
    "codelutra.measured",
    "codelutra.model_shape",
    "codelutra.model_states",
    "codelutra.models",
    "codelutra.pace",
    "codelutra.pair_export",
    "codelutra.pair_reading",
    "codelutra.pair_rows",
    "codelutra.pair_warnings",
    "codelutra.presets",
    "codelutra.probe",
    "codelutra.records",
    "codelutra.report",
    "codelutra.report_text",
    "codelutra.reviews",
    "codelutra.run_rows",
    "codelutra.serving.curl",
    "codelutra.smoke",
    "codelutra.snapshot_state",
    "codelutra.snapshots",
    "codelutra.tasks",
    "codelutra.tasks.findings",
    "codelutra.tasks.quarantine",
    "codelutra.tasks.stored",
    "codelutra.votes",
}


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports, `from x import y` as x.y and x."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def files(*names: str) -> list[Path]:
    found = [path for name in names for path in sorted((ROOT / name).rglob("*.py"))]
    assert found, names
    return found


def top(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("path", files("storage"), ids=str)
def test_storage_imports_nothing_of_ours(path: Path) -> None:
    assert not [m for m in imports(path) if top(m) in {"codelutra", "pages", "app", "gradio"}]


@pytest.mark.parametrize("path", files("codelutra"), ids=str)
def test_the_engine_knows_no_web_and_only_the_worker_knows_the_database(path: Path) -> None:
    forbidden = {"gradio", "pages", "app"}
    if path.name not in DATABASE_PARTS:
        forbidden |= {"storage", "sqlmodel", "sqlalchemy", "dbos"}
    assert not [m for m in imports(path) if top(m) in forbidden]


@pytest.mark.parametrize("path", [*files("pages"), ROOT / "app.py"], ids=str)
def test_the_web_imports_no_model_library_and_only_light_parts_of_the_engine(path: Path) -> None:
    for module in imports(path):
        assert top(module) not in HEAVY
        if top(module) == "codelutra":
            assert module in PAGES_MAY_IMPORT


@pytest.mark.parametrize("path", files("pages"), ids=str)
def test_pages_never_import_the_app(path: Path) -> None:
    assert "app" not in map(top, imports(path))
