"""Tables with columns of their own, and datasets on the Hub, of which a small one runs here."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest

from codelutra.errors import TaskError
from codelutra.tasks import load_tasks
from codelutra.tasks.stored import ImportOptions, import_set, read_stored, stored_names
from tests.tasks.published import HUMANEVAL, MBPP

SHA = "0123456789abcdef0123456789abcdef01234567"
ROWS = [
    {"question": "Two?", "answer": "result = 2", "part": "train", "topic": "numbers"},
    {"question": "Three?", "answer": "result = 3", "part": "test", "topic": "numbers"},
]
MAP = ImportOptions(
    columns={"prompt": "question", "gold": "answer", "kind": "=python", "split": "part",
             "tags": "topic"}
)  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_table_with_columns_of_its_own(tmp_path: Path, suffix: str) -> None:
    path, table = tmp_path / f"lab.{suffix}", pandas.DataFrame(ROWS)
    match suffix:
        case "csv":
            table.to_csv(path, index=False)
        case "parquet":
            table.to_parquet(path)
        case _:
            path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    _, tasks = import_set(path, "lab", MAP)
    assert [(t.task_id, t.prompt, t.gold, t.split, t.tags) for t in tasks] == [
        ("row-1", "Two?", "result = 2", "train", ("numbers",)),
        ("row-2", "Three?", "result = 3", "heldout", ("numbers",)),
    ]
    assert read_stored("lab").options.columns == MAP.columns


def test_lists_in_a_parquet_file_stay_lists(tmp_path: Path) -> None:
    rows = [{**MBPP, "task_id": str(MBPP["task_id"])}]
    pandas.DataFrame(rows).to_parquet(tmp_path / "mbpp.parquet")
    _, tasks = import_set(tmp_path / "mbpp.parquet", "mbpp")
    assert tasks[0].tests == ("ONE = 1", *MBPP["test_list"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prompt": "nothing"}, "no column 'nothing'; columns: question, answer, part, topic"),
        ({"promt": "question"}, "there is no field 'promt' to map to"),
        ({"prompt": "question", "gold": "answer"}, "row 1: kind: Field required"),
        ({"prompt": "question", "gold": "empty", "kind": "=python"},
         "row 2: column 'empty', for `gold`, is empty"),
    ],
)  # fmt: skip
def test_a_map_that_does_not_fit(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    rows = [{**row, **({"empty": "x"} if n == 0 else {"empty": ""})} for n, row in enumerate(ROWS)]
    if "empty" not in columns.values():
        rows = ROWS
    path = tmp_path / "lab.csv"
    pandas.DataFrame(rows).to_csv(path, index=False)
    with pytest.raises(TaskError) as raised:
        import_set(path, "lab", ImportOptions(columns=columns))
    assert message in str(raised.value)
    assert stored_names() == []


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(TaskError, match="cannot be read"):
        import_set(tmp_path / "broken.parquet", "x", MAP)


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hub's interface as its client asks of it for a file of a dataset."""

    files: dict[str, bytes]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/datasets/lab/sums"):
            siblings = [{"rfilename": name} for name in self.files]
            answer = {"id": "lab/sums", "sha": SHA, "siblings": siblings, "tags": []}
            self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
        elif (name := self.path.removeprefix(f"/datasets/lab/sums/resolve/{SHA}/")) in self.files:
            data = self.files[name]
            etag = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            self.reply(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})
        else:
            self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def reply(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    Hub.files = {"README.md": b"# Sums", "data/all.jsonl": json.dumps(HUMANEVAL).encode()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield Hub
    server.shutdown()
    server.server_close()


def test_a_dataset_of_the_hub_is_read_by_its_format_and_its_commit_is_kept(hub: type[Hub]) -> None:
    stored, tasks = import_set("hub:lab/sums", "sums")
    assert stored.source == f"hub:lab/sums@{SHA}/data/all.jsonl"
    assert (stored.format, len(tasks)) == ("humaneval", 1)
    assert load_tasks("sums") == tasks


def test_a_dataset_with_columns_of_its_own(hub: type[Hub]) -> None:
    hub.files["more.csv"] = b"question,answer,part,topic\nTwo?,result = 2,train,numbers\n"
    _, tasks = import_set("hub:lab/sums@main/more.csv", "sums", MAP)
    assert tasks[0].gold == "result = 2"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hub:lab", "write hub:OWNER/NAME or hub:OWNER/NAME/FILE"),
        ("hub:lab/nothing", "there is no dataset lab/nothing on the Hub, or it is private"),
        ("hub:lab/sums/other.csv", "name one of its files, as in hub:OWNER/NAME/FILE: data/all"),
        ("hub:lab/su ms", "write hub:OWNER/NAME or hub:OWNER/NAME/FILE"),
    ],
)
def test_an_address_that_leads_nowhere(hub: type[Hub], address: str, message: str) -> None:
    with pytest.raises(TaskError) as raised:
        import_set(address, "sums")
    assert message in str(raised.value)


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TaskError, match="the Hub does not answer"):
        import_set("hub:lab/sums", "sums")
    assert stored_names() == []
