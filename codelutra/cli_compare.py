"""The commands `compare` (many prompts through several states of a run) and `serve`."""

import argparse
import csv
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codelutra.cli_export import opened_run
from codelutra.errors import CodeLutraError
from codelutra.ledger import Ledger
from codelutra.model_states import ModelState
from codelutra.serving.curl import KEY_VARIABLE

OF_RUN = "a run's folder, or its number on the dashboard"


def add_commands(commands: Any, add_unsafe: Any) -> None:
    compare = commands.add_parser(
        "compare", help="greedy pass rates of a run's states, and a table"
    )
    compare.add_argument("of_run", metavar="RUN", help=OF_RUN)
    compare.add_argument(
        "--states", default="all", help="base,1,2 ... (default: the base and every iteration)"
    )
    compare.add_argument(
        "--tasks", help="held-out tasks of this set, or a JSONL file of prompts or tasks "
        "(default: those that the run was scored on)",
    )  # fmt: skip
    compare.add_argument("--csv", type=Path, help="write a row for each task and state here")
    compare.add_argument("--json", type=Path, help="write the scores here")
    add_unsafe(compare)
    compare.set_defaults(run=_compare)
    serve = commands.add_parser("serve", help="an OpenAI-compatible server of a run's states")
    serve.add_argument("of_run", metavar="RUN", help=OF_RUN)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8000, help="port (%(default)s)")
    serve.add_argument(
        "--backend", choices=["auto", "vllm", "transformers"], default="auto",
        help="auto: vLLM where it is installed and there is a GPU",
    )  # fmt: skip
    serve.set_defaults(run=_serve)


def states_of(ledger: Ledger) -> list[ModelState]:
    """The base, then every iteration that has an adapter."""
    config = ledger.config
    backend = config.generation.model_dump(mode="json")
    rest: dict[str, Any] = {"backend": backend, "chat_template": config.chat_template}
    found = [ModelState("base", "base", "base", config.model, **rest)]
    for number in range(1, config.iterations + 1):
        if adapter := ledger.adapter(number):
            found.append(
                ModelState(
                    str(number), f"iteration {number}", "iteration", config.model,
                    adapter.base_revision, adapter.path, adapter.sha256, iteration=number, **rest,
                )
            )  # fmt: skip
    return found


def _compare(options: argparse.Namespace) -> int:
    from codelutra.batch import run_batch
    from codelutra.batch_tasks import tasks_for
    from codelutra.progress import ProgressBar

    with opened_run(options.of_run) as ledger:
        states = _chosen(states_of(ledger), options.states)
        chosen = tasks_for(ledger.config, options.tasks or "")
        with ProgressBar() as bar:
            batch = run_batch(
                states, chosen.tasks, ledger.config, beside=chosen.beside,
                log=ledger.folder / "logs" / "compare.log",
                report=lambda state, done, total: bar.report(0, state, done, total),
            )  # fmt: skip
    scores = batch.scores()
    print("state          pass@1 [95 % interval]     correct of")
    for score in scores:
        low, high = score.ci95
        print(
            f"{score.label:<14} {score.pass_at_1:>6.1%} [{low:.1%}, {high:.1%}]"
            f"{score.num_correct:>12} {score.num_graded}"
        )
    if options.json:
        rows = [{**asdict(s), "pass@1": s.pass_at_1, "ci95": s.ci95} for s in scores]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.csv:
        write_csv(options.csv, batch.rows())
    return 0


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    from codelutra.batch import FIELDS

    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _chosen(states: list[ModelState], names: str) -> list[ModelState]:
    if names == "all":
        return states
    by_name = {state.key: state for state in states}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    missing = [name for name in wanted if name not in by_name]
    if missing or not wanted:
        raise CodeLutraError(
            f"--states: there is no {', '.join(missing) or 'name'}; this run has "
            f"{', '.join(by_name)}"
        )
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _serve(options: argparse.Namespace) -> int:
    from codelutra.adapters import verify_adapter
    from codelutra.backends import VLLM_MISSING
    from codelutra.config import TransformersBackend, VllmBackend, default_backend
    from codelutra.models import has_chat_template
    from codelutra.records import Adapter
    from codelutra.serving import outside

    token = os.environ.get(KEY_VARIABLE, "")
    if not token and options.host not in ("127.0.0.1", "localhost", "::1"):
        raise CodeLutraError(
            f"--host {options.host}: others could ask without a key, set {KEY_VARIABLE} to one"
        )
    with opened_run(options.of_run) as ledger:
        config, states = ledger.config, states_of(ledger)
    adapters = {}
    for state in states[1:]:
        verify_adapter(Adapter(state.adapter, state.sha256, state.model, state.revision, ""))
        adapters[f"iteration-{state.iteration}"] = state.adapter
    backend = config.generation
    if options.backend != "auto" or not isinstance(backend, TransformersBackend | VllmBackend):
        known = {"vllm": VllmBackend, "transformers": TransformersBackend}
        backend = known.get(options.backend, default_backend)()
    if isinstance(backend, VllmBackend) and not outside.has_vllm():
        raise CodeLutraError(VLLM_MISSING)
    offer = outside.Offer(
        config.model, adapters, options.host, options.port, token,
        is_chat=config.chat_template == "auto" and has_chat_template(config.model),
    )  # fmt: skip
    print(f"serving {', '.join([config.model, *adapters])} with {backend.backend}", file=sys.stderr)
    return outside.serve(offer, backend)
