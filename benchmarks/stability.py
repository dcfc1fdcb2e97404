"""Do verdicts depend on the machine's load? `python -m benchmarks.stability [--quick]`

Random correct and incorrect programs for freshly drawn starter tasks, some of them made to loop,
to sleep or to run out of memory, are graded twice, in another order, by graders that know nothing
of each other, while one busy loop a core runs. No verdict may differ, except where one of the two
is marked flaky.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks.claims import Claim, finish
from codelutra.config import SandboxConfig
from codelutra.grading import Grader, gold_program
from codelutra.records import Sample, SampleKey, Verdict
from codelutra.sandbox import Sandbox
from codelutra.starter import SPLITS, corpus, write_databases
from codelutra.starter.families import databases, sciences
from codelutra.starter.pen import Pen
from codelutra.starter.sketch import SIDES, TEMPLATES, Sketch, Template
from codelutra.starter.worlds import World
from codelutra.tasks.task import Task

PER_TASK = 4  # programs of a task: its gold and three by a pen that errs
GARBLED = 0.15  # share of the programs that then lose a token
STUBBORN_EVERY = 500  # every so many programs one that meets a limit
AT_ONCE = 500
TIMEOUT_S = 2.0
BUSY = "while True: pass"
STUBBORN = {
    "sql": (
        "WITH RECURSIVE n(i) AS (SELECT {n} UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    ),
    "python": (
        "i = {n}\nwhile True:\n    i += 1",
        "import time\ntime.sleep({n} + 1000)",
        "kept = [{n}]\nwhile True:\n    kept.append('x' * 1_000_000)",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 programs instead of 10,000")
    options = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        wanted = 1000 if options.quick else 10_000
        tasks, drawn = draw_programs(wanted + wanted // 50, write_databases(Path(folder)), rng)
        samples = with_sound_gold(tasks, drawn)[:wanted]
        shuffled = rng.sample(samples, len(samples))
        with full_load():
            first, first_s = grade_all(tasks, samples, "first")
            second, second_s = grade_all(tasks, shuffled, "second")
    kinds = Counter(verdict.kind.value for verdict in first.values())
    flaky = {key for key in first if first[key].flaky or second[key].flaky}
    differing = [key for key in first if first[key].kind != second[key].kind]
    print(f"{len(samples):,} distinct programs of {len(tasks):,} tasks: {dict(kinds)}")
    print(f"graded in {first_s:.0f} s and {second_s:.0f} s, {len(flaky)} flaky")
    for key in differing:
        print(f"{key}: {first[key]} then {second[key]}{' (flaky)' if key in flaky else ''}")
    return finish(
        [
            Claim("differing_verdicts", len(set(differing) - flaky), ceiling=0),
            Claim("harness_errors", kinds["harness_error"], ceiling=0),
            Claim("flaky_share", len(flaky) / len(samples), ceiling=0.001),
        ],
        programs=len(samples),
        verdicts=dict(kinds),
        flaky=len(flaky),
        per_second=round(2 * len(samples) / (first_s + second_s), 1),
    )


def draw_programs(
    wanted: int, paths: dict[str, Path], rng: random.Random
) -> tuple[dict[str, Task], list[Sample]]:
    """Distinct programs, each of a task of its template; a task's gold is among its programs."""
    tasks: dict[str, Task] = {}
    samples: list[Sample] = []
    seen: set[str] = set()
    for template, world, inputs, side in turns(rng):
        prompt, sketch = template.make(world, rng, side)
        if prompt in seen:
            continue
        seen.add(prompt)
        task = Task(
            task_id=f"{template.name}-{len(tasks)}",
            kind=template.kind,  # type: ignore[arg-type]
            prompt=prompt,
            gold=sketch.write(Pen()),
            database=str(paths[world.name]) if template.kind == "sql" else "",
            setup=inputs.get(sketch.subject.split(":")[0], ""),
        )
        tasks[task.task_id] = task
        for index, program in enumerate(programs_of(task, sketch, rng)):
            if (len(samples) + 1) % STUBBORN_EVERY == 0:
                program = rng.choice(STUBBORN[task.kind]).format(n=len(samples))
            samples.append(Sample(task.task_id, index, program))
            if len(samples) == wanted:
                return tasks, samples
    raise AssertionError("the turns never end")


def with_sound_gold(tasks: dict[str, Task], samples: list[Sample]) -> list[Sample]:
    """Not those of a task whose condition happens to leave its gold nothing to work on."""
    golds = {task_id: gold_program(task) for task_id, task in tasks.items()}
    with Sandbox(SandboxConfig()) as sandbox:
        results = dict(zip(golds, sandbox.execute(list(golds.values())), strict=True))
    return [sample for sample in samples if results[sample.task_id].outcome == "ok"]


def turns(rng: random.Random) -> Iterator[tuple[Template, World, dict[str, str], int]]:
    """Templates on random worlds of the starter, for ever; SQL and Python take turns."""
    assert corpus.TEMPLATE_MODULES, "importing the corpus registers the templates"
    stages = [
        (kind, [t for _, t in sorted(TEMPLATES.items()) if t.kind == kind])
        for kind in ("sql", "python")
    ]
    split_worlds = {
        split: {
            "sql": [(world, {}) for world, _ in databases(split)],
            "python": sciences(split),
        }
        for split in SPLITS
    }
    while True:
        for kind, templates in stages:
            split = rng.choice(SPLITS)
            world, inputs = rng.choice(split_worlds[split][kind])
            yield rng.choice(templates), world, inputs, SIDES.index(split)


def programs_of(task: Task, sketch: Sketch, rng: random.Random) -> list[str]:
    programs = {task.gold: None}
    for _ in range(PER_TASK - 1):
        text = sketch.write(Pen(rng))
        programs[garbled(text, rng) if rng.random() < GARBLED else text] = None
    return list(programs)


def garbled(program: str, rng: random.Random) -> str:
    tokens = program.split(" ")
    del tokens[rng.randrange(len(tokens))]
    return " ".join(tokens) or program


def grade_all(
    tasks: dict[str, Task], samples: list[Sample], name: str
) -> tuple[dict[SampleKey, Verdict], float]:
    """Verdicts and wall seconds, by a grader and a sandbox of its own."""
    started = time.monotonic()
    verdicts: dict[SampleKey, Verdict] = {}
    with Sandbox(SandboxConfig(timeout_s=TIMEOUT_S)) as sandbox, tqdm(total=len(samples)) as bar:
        bar.set_description(name)
        grader = Grader(sandbox)
        for start in range(0, len(samples), AT_ONCE):
            batch = samples[start : start + AT_ONCE]
            verdicts |= grader.grade(tasks, batch)
            bar.update(len(batch))
    return verdicts, time.monotonic() - started


@contextmanager
def full_load() -> Iterator[None]:
    """One busy loop a core."""
    cores = len(os.sched_getaffinity(0))
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(cores)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
