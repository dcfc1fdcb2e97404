"""What a program draws is shown to people: pixels come out of the sandbox, and no verdict of it."""

import base64
import random
import struct
from io import BytesIO

import pytest
from PIL import Image

from codelutra.config import SandboxConfig
from codelutra.pictures import MAX_BYTES, png_of
from codelutra.sandbox import ExecutionResult, Program
from codelutra.sandbox.python_runner import Job, outcome_of, tier_of
from codelutra.tasks.task import Task
from codelutra.trying import try_answers

DRAWN = "import matplotlib.pyplot as plt\nplt.bar([1, 2], [3, 4])\nplt.title('two bars')\n"
FREE = Task.model_construct(
    task_id="own", kind="python", prompt="p", gold="", database="", setup="", answer="result"
)
JUDGED = Task(task_id="own", kind="python", prompt="p", gold="result = 7")
DRAWS = Program("python", "", draws=True)


def frame(tag: bytes, payload: bytes) -> bytes:
    return tag + len(payload).to_bytes(8, "big") + payload


def of_stream(stream: bytes, program: Program = DRAWS) -> ExecutionResult:
    return outcome_of(Job(stream, 0, 0.0, False, ""), 5.0, program)


def never() -> bool:
    return False


def test_a_figure_becomes_a_picture_and_changes_no_verdict() -> None:
    pytest.importorskip("matplotlib")
    vast = "import matplotlib.pyplot as plt\nplt.figure(figsize=(400, 100))\n"
    programs = [DRAWN, f"{DRAWN}result = plt.gcf()", f"{vast}result = 7", f"{DRAWN}1 / 0"]
    free = try_answers(FREE, programs, SandboxConfig(workers=1), never)
    judged = try_answers(JUDGED, programs, SandboxConfig(workers=1), never)
    assert [row["outcome"] for row in free] == ["ok", "ok", "ok", "runtime_error"]
    assert [row["verdict"] for row in judged] == [
        "runtime_error", "runtime_error", "correct", "runtime_error"
    ]  # fmt: skip
    for row in (*free, *judged):
        assert row["figure"].startswith("data:image/png;base64,iVBOR")
    png = base64.b64decode(free[2]["figure"].partition(",")[2])
    with Image.open(BytesIO(png)) as picture:  # within a million pixels
        assert picture.size == (2048, 512)


def test_the_picture_has_the_pixels_that_came_out() -> None:
    pixels = bytes(range(24))
    with Image.open(BytesIO(png_of(struct.pack("=II", 3, 2) + pixels) or b"")) as picture:
        assert (picture.size, picture.mode) == ((3, 2), "RGBA")
        assert picture.tobytes() == pixels


@pytest.mark.parametrize(
    "figure",
    [
        b"",
        b"\x89PNG\r\n\x1a\n<script>",
        struct.pack("=II", 0, 0),
        struct.pack("=II", 2, 2) + bytes(15),
        struct.pack("=II", 1 << 31, 1 << 31) + bytes(16),
        struct.pack("=II", 2048, 1024) + bytes(4 * 2048 * 1024),
    ],
)
def test_what_a_hostile_program_calls_a_figure_is_no_picture(figure: bytes) -> None:
    assert png_of(figure) is None


def test_a_picture_too_rich_for_the_page_is_left_out() -> None:
    noise = random.Random(0).randbytes(4 * 300 * 300)
    assert len(noise) > MAX_BYTES
    assert png_of(struct.pack("=II", 300, 300) + noise) is None


def test_what_draws_runs_in_the_same_place_whether_or_not_it_is_looked_at() -> None:
    """In a run it gets the verdict that it gets on Compare."""
    for source in (DRAWN, "df.plot()", "import seaborn"):
        assert tier_of(Program("python", source)) == "figures"
        assert tier_of(Program("python", source, draws=True)) == "figures"


def test_a_figure_in_the_stream_adds_nothing_to_a_value() -> None:
    answer, figure = frame(b"R", b"7"), frame(b"P", b"pixels")
    assert of_stream(b"K" + figure + answer).value == 7
    assert of_stream(b"K" + figure + answer).figure == b"pixels"
    for stream in (b"K" + figure, b"K" + answer + figure, b"K" + figure + figure + answer):
        assert of_stream(stream).outcome == "runtime_error"
    not_asked = of_stream(b"K" + figure + answer, Program("python", ""))
    assert (not_asked.outcome, not_asked.figure) == ("runtime_error", None)
