"""Pairs that were made elsewhere, for a run: of which task they are, whether they may be trained
on, and, where the task is known, what execution says of them. Knows no database."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from codelutra.config import RefineConfig
from codelutra.grading import Grader, never
from codelutra.pair_reading import GivenPair, Problem
from codelutra.records import PreferencePair, Sample, SampleKey, Split, Verdict, VerdictKind
from codelutra.reviews import Vetoes
from codelutra.sandbox import Sandbox
from codelutra.tasks import load_tasks, select_tasks
from codelutra.tasks.quarantine import quarantined
from codelutra.tasks.task import Task

AT_ONCE = 200  # pairs whose programs are executed together
MAX_PROBLEMS = 200  # that are kept of a file; the others are counted
SPLITS: dict[Split, str] = {"heldout": "held out", "validation": "a validation task"}
LEAK = "training on it would make its score worthless"
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class RunTasks:
    """The whole task set of a run, each task with the split that it has in the run."""

    by_id: Mapping[str, Task]
    own: Set[str]  # that the run itself draws programs for
    away: Set[str]  # in quarantine
    by_prompt: Mapping[str, Sequence[Task]]


@dataclass(frozen=True)
class CheckedPair:
    pair: PreferencePair
    line: int
    rejected_verdict: str = ""  # '' where the task is not known: nothing was executed


@dataclass
class Checked:
    """What a file's pairs are worth to a run."""

    pairs: list[CheckedPair] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)  # the first ones
    num_refused: int = 0
    num_duplicates: int = 0
    is_unfenced: bool = False  # programs were executed without a sandbox

    def refuse(self, line: int, reason: str) -> None:
        self.num_refused += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(line, reason))


def tasks_of_run(config: RefineConfig) -> RunTasks:
    whole = load_tasks(config.tasks)
    chosen = {task.task_id: task for task in select_tasks(whole, config)}
    tasks = {task.task_id: chosen.get(task.task_id, task) for task in whole}
    by_prompt: dict[str, list[Task]] = defaultdict(list)
    for task in tasks.values():
        by_prompt[plain(task.prompt)].append(task)
    own = {task_id for task_id, task in chosen.items() if task.split == "train"}
    return RunTasks(tasks, own, {*config.quarantined, *quarantined(config.tasks)}, by_prompt)


def check_pairs(
    given: Iterable[GivenPair | Problem],
    tasks: RunTasks,
    config: RefineConfig,
    *,
    known: Iterable[PreferencePair] = (),
    vetoes: Vetoes,
    skip_bad: bool = False,
    report: Report = lambda done, total: None,
    should_stop: Callable[[], bool] = never,
) -> Checked:
    """`known` are the run's pairs. Nothing is executed when a row is bad, unless `skip_bad`."""
    checked, seen, prompts = Checked(), set[bytes](), dict[str, str]()
    for pair in known:
        seen.add(_key(pair, tasks))
        if pair.prompt:
            prompts.setdefault(pair.task_id, pair.prompt)
    found: list[CheckedPair] = []
    for one in given:
        if isinstance(one, Problem):
            checked.refuse(one.line, one.reason)
            continue
        try:
            pair = place(one, tasks)
            _check_prompt(pair, prompts)
        except ValueError as error:
            checked.refuse(one.line, str(error))
            continue
        key = _key(pair, tasks)
        if key in seen:
            checked.num_duplicates += 1
        elif not vetoes.allow(pair):
            checked.refuse(one.line, "a person has vetoed it, or one of its programs, in this run")
        else:
            found.append(CheckedPair(pair, one.line))
        seen.add(key)
    if skip_bad or not checked.num_refused:
        _execute(found, checked, tasks, config, report, should_stop)
    return checked


def place(given: GivenPair, tasks: RunTasks) -> PreferencePair:
    """The pair with the task it is of. Raises ValueError where it may not be trained on."""
    task = tasks.by_id.get(given.task_id) or _by_prompt(given, tasks)
    sides = (given.chosen, given.rejected, None, None)
    if task is None and not given.prompt:
        raise ValueError(
            f"task_id {given.task_id!r} is not in the run's task set: add its `prompt`"
            if given.task_id
            else "`prompt` is missing"
        )
    if task is None:
        digest = hashlib.sha256(given.prompt.encode()).hexdigest()[:12]
        return PreferencePair(given.task_id or f"imported-{digest}", *sides, given.prompt)
    if task.split != "train":
        raise ValueError(f"task {task.task_id!r} is {SPLITS[task.split]}: {LEAK}")
    if task.task_id in tasks.away:
        raise ValueError(f"task {task.task_id!r} is in quarantine")
    if given.prompt and plain(given.prompt) != plain(task.prompt):
        raise ValueError(
            f"its `prompt` is not that of task {task.task_id!r}: leave one of them out"
        )
    return PreferencePair(task.task_id, *sides, "" if task.task_id in tasks.own else task.prompt)


def plain(prompt: str) -> str:
    """White space apart, two prompts with the same words are one."""
    return " ".join(prompt.split())


def _by_prompt(given: GivenPair, tasks: RunTasks) -> Task | None:
    same = tasks.by_prompt.get(plain(given.prompt), ()) if given.prompt else ()
    for task in same:
        if task.split != "train":
            raise ValueError(
                f"its prompt is that of task {task.task_id!r}, {SPLITS[task.split]}: {LEAK}"
            )
    if len(same) > 1:
        raise ValueError("its prompt is that of several tasks: say which by its `task_id`")
    return same[0] if same else None


def _check_prompt(pair: PreferencePair, prompts: dict[str, str]) -> None:
    """Pairs of a task share a step of the training, as answers to one prompt."""
    if pair.prompt and prompts.setdefault(pair.task_id, pair.prompt) != pair.prompt:
        raise ValueError(f"task_id {pair.task_id!r} has another prompt in an earlier pair")


def _key(pair: PreferencePair, tasks: RunTasks) -> bytes:
    of = pair.task_id if pair.task_id in tasks.by_id else f"\0{plain(pair.prompt)}"
    text = "\0".join((of, pair.chosen.strip(), pair.rejected.strip()))
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()


def _execute(
    found: Sequence[CheckedPair],
    checked: Checked,
    tasks: RunTasks,
    config: RefineConfig,
    report: Report,
    should_stop: Callable[[], bool],
) -> None:
    """Both programs of each pair whose task is known, in the order of the file."""
    report(0, len(found))
    if not any(one.pair.task_id in tasks.by_id for one in found):
        checked.pairs += found
        return
    with Sandbox(config.sandbox) as sandbox:
        checked.is_unfenced = not sandbox.is_fenced
        grader = Grader(sandbox)
        for start in range(0, len(found), AT_ONCE):
            batch = found[start : start + AT_ONCE]
            samples = [
                Sample(one.pair.task_id, 2 * place + side, text)
                for place, one in enumerate(batch)
                if one.pair.task_id in tasks.by_id
                for side, text in enumerate((one.pair.chosen, one.pair.rejected))
            ]
            verdicts = grader.grade(tasks.by_id, samples, should_stop)
            for place, one in enumerate(batch):
                _judge(place, one, checked, tasks, verdicts)
            report(start + len(batch), len(found))


def _judge(
    place: int,
    one: CheckedPair,
    checked: Checked,
    tasks: RunTasks,
    verdicts: Mapping[SampleKey, Verdict],
) -> None:
    task_id = one.pair.task_id
    if task_id not in tasks.by_id:
        checked.pairs.append(one)
        return
    chosen, rejected = (verdicts[task_id, 2 * place + side] for side in (0, 1))
    if reason := _complaint("chosen", chosen) or _complaint("rejected", rejected):
        checked.refuse(one.line, reason)
    else:
        checked.pairs.append(CheckedPair(one.pair, one.line, rejected.kind.value))


def _complaint(side: str, verdict: Verdict) -> str:
    """Why a program cannot stand on its side; '' when it can."""
    kind = verdict.kind
    said = f"{kind.value.replace('_', ' ')} ({verdict.detail})"
    if kind is VerdictKind.HARNESS_ERROR:
        return f"`{side}` could not be judged: {said}"
    if verdict.flaky:
        return f"`{side}` has a verdict by chance: {said}, and another one when run again"
    if (kind is VerdictKind.CORRECT) != (side == "chosen"):
        return f"`{side}` is {said}"
    return ""
