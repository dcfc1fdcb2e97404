"""Languages behind one seam: JavaScript as it ships, Perl as docs/languages.md adds it."""

import importlib
import json
import re
import shutil
from pathlib import Path

import pytest

from codelutra import languages
from codelutra.config import SandboxConfig
from codelutra.errors import TaskError
from codelutra.grading import Grader
from codelutra.languages import language_of
from codelutra.prompting import extract_program
from codelutra.records import Sample, Verdict
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, load_tasks
from codelutra.tasks.health import find_problems

GUIDE = Path(__file__).parents[1] / "docs" / "languages.md"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
SUM = (
    "const numbers = require('fs').readFileSync(0, 'utf8').trim().split(/\\s+/);\n"
    "console.log(numbers.map(Number).reduce((a, b) => a + b, 0));"
)


def javascript(gold: str = SUM, *stdin: str) -> Task:
    row = {"task_id": "a", "kind": "javascript", "prompt": "p", "gold": gold, "stdin": stdin}
    return Task.model_validate(row)


def verdict(task: Task, completion: str) -> Verdict:
    sample = Sample("a", 0, completion)
    with Sandbox(SandboxConfig(workers=1)) as sandbox:
        return Grader(sandbox).grade({"a": task}, [sample])[sample.key]


@needs_node
@pytest.mark.parametrize(
    ("completion", "kind", "detail"),
    [
        ("```js\nconsole.log(eval(require('fs').readFileSync(0, 'utf8').trim().replace(/ /g, "
         "'+')))\n```", "correct", "['6\\n', '9\\n'], as expected"),
        ("console.log(6)", "wrong_result", "on stdin 2: line 1: expected '9', got '6'"),
        ("console.log('6 \\n\\n')", "wrong_result", "on stdin 2: line 1: expected '9', got '6'"),
        ("process.exit(0)", "wrong_result", "on stdin 1: line 1: expected '6', got no more"),
        ("let = (", "syntax_error", "line 1: SyntaxError: "),
        ("null.x", "runtime_error", "TypeError: "),
        ("```python\nprint(6)\n```", "no_code", "no program in the completion"),
    ],
)  # fmt: skip
def test_javascript_is_right_when_it_prints_what_the_gold_prints(
    completion: str, kind: str, detail: str
) -> None:
    found = verdict(javascript(SUM, "1 2 3", "4 5"), completion)
    assert found.kind.value == kind
    assert detail in found.detail


@needs_node
def test_health_of_javascript_golds() -> None:
    def problems(gold: str) -> list[str]:
        return [found.problem for found in find_problems([javascript(gold, "1 2")])]

    assert problems(SUM) == []
    assert problems("console.log(Math.random())") == ["nondeterministic"]
    assert problems("console.log(' ')") == ["empty"]
    assert problems("console.log(x)") == ["failing"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tests": ["assert 1"]}, "`tests` is for python tasks: leave it out of a javascript"),
        ({"match": "bird"}, "match 'bird' is for sql tasks"),
        ({"kind": "python", "stdin": ["1"]}, "`stdin` is for javascript tasks"),
        ({"kind": "cobol"}, "kind: no language 'cobol': use one of javascript, python, sql"),
    ],
)
def test_a_field_of_another_language_is_refused(
    fields: dict[str, object], message: str, tmp_path: Path
) -> None:
    row = {"task_id": "a", "kind": "javascript", "prompt": "p", "gold": "1", **fields}
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(TaskError, match=re.escape(message)):
        load_tasks(str(path))


@pytest.fixture
def perl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The guide's file in the folder of languages, and the guide's task."""
    blocks = dict(re.findall(r"```(python|json)\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    (tmp_path / "perl.py").write_text(blocks["python"])
    monkeypatch.setattr(languages, "__path__", [*languages.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    found = {language.kind: language for language in languages.find_languages()}
    monkeypatch.setattr(languages, "LANGUAGES", found)
    path = tmp_path / "tasks.jsonl"
    path.write_text(blocks["json"])
    return load_tasks(str(path))[0]


@pytest.mark.skipif(shutil.which("perl") is None, reason="needs Perl")
def test_a_language_more_is_one_file(perl: Task) -> None:
    task = perl.model_copy(update={"task_id": "a"})
    assert find_problems([task]) == []
    right = "```perl\nmy @n = map { split } <STDIN>; my $s = 0; $s += $_ for @n; print $s\n```"
    assert verdict(task, right).kind.value == "correct"
    assert verdict(task, "print 6").kind.value == "wrong_result"
    broken = verdict(task, "my $x = 1;\nmy $y = (;")
    assert (broken.kind.value, broken.detail[:7]) == ("syntax_error", "line 2:")
    failing = verdict(task, "my $x = 1;\ndie 'of old age'")
    assert (failing.kind.value, failing.detail) == ("runtime_error", "of old age (line 2)")
    spying = verdict(task, "open(my $f, '<', '/etc/passwd') or die $!; print <$f>")
    assert spying.detail == "Permission denied (line 1)"
    assert verdict(task, "system('id') == 0 or die $!").detail == "Operation not permitted (line 1)"


def test_plain_fences_and_those_of_the_language_are_read() -> None:
    assert extract_program("```js\n1\n```", "javascript").program == "1"
    assert extract_program("```\n1\n```", "javascript").program == "1"
    assert extract_program("```python\n1\n```", "javascript").program == ""
    assert "mjs" in language_of("javascript").fences
