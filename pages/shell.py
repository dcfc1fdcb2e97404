"""Around the tabs: theme, header, footer with the worker's state, and the address bar."""

from pathlib import Path
from socket import gethostname
from typing import Any

import gradio as gr
from gradio.components import Component

from codelutra.config import STARTER
from codelutra.snapshot_state import SnapshotState, read_state
from codelutra.snapshot_state import address as snapshot_address
from pages import compare, live, pairs, refine, run_news, tasks, trends
from pages.caveats import banner
from pages.format import text
from pages.pair_look import Look
from pages.roles import DESK, Access, GuardedBlocks, Role, caller
from pages.run_view import any_run_exists, run_exists
from storage import db
from storage.at_work import worker_at_work
from storage.lock import Worker

FOLDER = Path(__file__).parent
CSS_FILES = [
    FOLDER / name for name in ("style.css", "pairs.css", "review.css", "compare/compare.css")
]
TABS = ("refine", "trends", "pairs", "compare", "tasks")
TIMED = ("refine", "pairs", "compare", "tasks")  # these have a timer of their own

HEADER = """<header class="product"><h1>CodeLutra</h1>
<p>Refines a code model from its own mistakes: sample, execute, pair, train, evaluate.</p>
</header>"""


def theme() -> gr.themes.Base:
    """Fonts that Gradio brings along: nothing is fetched from the network."""
    look = gr.themes.Default(
        primary_hue=gr.themes.colors.blue,
        secondary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        font=(gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"),
        font_mono=(
            gr.themes.LocalFont("IBM Plex Mono", weights=(400,)),
            "ui-monospace",
            "monospace",
        ),
    )
    return look.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        color_accent="*primary_600",
        slider_color="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
    )


def head_script() -> str:
    scripts = [(FOLDER / name).read_text() for name in ("address.js", "live.js")]
    return f"<script>{''.join(scripts)}</script>"


def around() -> live.Parts:
    """What stands above and below every tab: a warning, if there is one, and the worker's state."""
    worker = worker_at_work()
    snapshot = read_state(db.current().home) if snapshot_address() else SnapshotState()
    return {
        "banner": live.part(banner(worker, snapshot)),
        "worker-state": live.part(worker_state(worker, snapshot)),
    }


def who_and_where() -> str:
    """Paths of the machine are for its owner."""
    visitor = caller()
    if visitor is DESK:
        who = ""
    elif visitor.name:
        who = f"signed in as {text(visitor.name)}, {visitor.role.name.lower()}"
    else:
        who = "you may look; sign in to do more"
    where = f"data in {text(db.current().home)}" if visitor.role is Role.OWNER else ""
    return (
        f'<div class="visitor"><span class="faint">{where}</span>'
        f"<span data-visitor>{who}</span></div>"
    )


def worker_state(worker: Worker | None, snapshot: SnapshotState) -> str:
    if worker is None:
        state = "worker not running: runs continue when it starts"
    else:
        doing = "busy" if worker.is_executing else "idle"
        place = "" if worker.host in ("", gethostname()) else f" on {text(worker.host)}"
        state = f"worker running{place}, pid {worker.pid}, {doing}"
    dot = "on" if worker else "off"
    kept = f'<span class="faint">snapshot of {text(snapshot.at)}</span>' if snapshot.at else ""
    return f'<footer class="worker"><i class="dot {dot}"></i><span>{state}</span>{kept}</footer>'


def build(access: Access | None = None) -> GuardedBlocks:
    """The whole page. Starts nothing and reads nothing until a browser asks.

    `access` says who may do what; without it everybody is at the desk.
    """
    access = access or Access({})
    with GuardedBlocks(
        title="CodeLutra", analytics_enabled=False, delete_cache=(3600, 24 * 3600)
    ) as blocks:
        blocks.access = access
        gr.HTML(HEADER)
        if access.is_space:
            gr.LoginButton(size="sm", elem_id="sign-in")
        top = gr.HTML("", js_on_load=live.on_load("banner"), elem_id="banner")
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Refine", id="refine") as refine_tab:
                run_view = refine.render()
            with gr.Tab("Trends", id="trends") as trends_tab:
                trend_view = trends.render()
            with gr.Tab("Pairs", id="pairs") as pairs_tab:
                pair_view = pairs.render()
            with gr.Tab("Compare", id="compare") as compare_tab:
                compare_view = compare.render()
            with gr.Tab("Tasks", id="tasks") as tasks_tab:
                task_view = tasks.render()
        with gr.Row(elem_id="foot"):
            state = gr.HTML("", js_on_load=live.on_load("worker-state"), elem_id="worker-state")
            visitor = gr.HTML("", elem_id="visitor")
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        speaking = {**quiet, "concurrency_limit": None}  # queued: messages are shown of no others
        quiet["queue"] = False  # quick reads: they need not wait for their turn
        timers: list[Component] = [
            run_view.timer, pair_view.timer, compare_view.timer, task_view.timer,
        ]  # fmt: skip
        screens = {"refine": run_news.screen, "trends": trends.screen}
        blocks.live = live.Live(access, around, screens)

        def open_address(request: gr.Request) -> list[Any]:
            params = dict(request.query_params)
            tab, run_id = address(params)
            if run_id and not run_exists(run_id):
                gr.Warning(f"There is no run {run_id}.")
                run_id = None
                params.pop("run")
            at = params.get("iteration", "") if tab == "refine" and run_id else ""
            at_run = run_news.Look(run_id, int(at) if at.isdecimal() else None)
            run = run_news.show(at_run, lately=True)
            shown = [gr.skip()] * len(trend_view.outputs)
            if tab == "trends":
                shown = trends.open_at(run_id, params)
            paired = [gr.skip()] * len(pair_view.outputs)
            if tab == "pairs":
                paired = pairs.open_address(params)
            compared = [gr.skip()] * len(compare_view.outputs)
            if tab == "compare":
                compared = compare.open_address(params)
            listed = [gr.skip()] * len(task_view.outputs)
            if tab == "tasks":
                listed = tasks.show(
                    tasks.Look(params.get("set", STARTER), shown=params.get("task"))
                )
            return [gr.Tabs(selected=tab), *_active(tab), *run, *shown, *paired, *compared,
                    *listed, *(part.value for part in around().values()),
                    who_and_where()]  # fmt: skip

        # A tab is selected when the page is built, too: then no run is chosen yet, and
        # `open_address` alone says what to show.
        def open_refine(run_id: int | None, look: run_news.Look) -> list[Any]:
            if not run_id:
                return [gr.skip()] * (len(timers) + len(run_view.outputs))
            is_same = run_id == look.run_id
            now = look if is_same else run_news.Look(run_id)
            return [*_active("refine"), *run_news.show(now, keeps_notes=is_same)]

        def open_trends(run_id: int | None, *seen: Any) -> list[Any]:
            if not run_id and any_run_exists():
                return [gr.skip()] * (len(timers) + len(trend_view.outputs))
            return [*_active("trends"), *trends.show_lately(run_id, *seen)]

        def open_pairs(look: Look, version: Any) -> list[Any]:
            if version:  # shown before: the timer goes on, with the filter as it is
                return [*_active("pairs"), *[gr.skip()] * len(pair_view.outputs)]
            return [*_active("pairs"), *pairs.show(look)]

        def open_compare(seen: Any) -> list[Any]:
            return [*_active("compare"), *(compare.renew() if seen else compare.open_address({}))]

        def open_tasks(name: str | None, version: Any) -> list[Any]:
            if version:  # shown before: the timer goes on, with the filters as they are
                return [*_active("tasks"), *[gr.skip()] * len(task_view.outputs)]
            return [*_active("tasks"), *tasks.show(tasks.Look(name or STARTER))]

        opened = [
            tabs,
            *timers,
            *run_view.outputs,
            *trend_view.outputs,
            *pair_view.outputs,
            *compare_view.outputs,
            *task_view.outputs,
            top,
            state,
            visitor,
        ]
        read = blocks.load(open_address, None, opened, **speaking)
        read.then(None, run_view.picker, js="run => window.codelutra.follow(run)")
        of_run = [trend_view.picker, run_view.look]
        refine_tab.select(open_refine, of_run, [*timers, *run_view.outputs], **quiet)
        trends_tab.select(
            open_trends,
            [run_view.picker, *trend_view.inputs[1:]],
            [*timers, *trend_view.outputs],
            **quiet,
        )
        of_pairs = [pair_view.look, pair_view.outputs[-1]]
        pairs_tab.select(open_pairs, of_pairs, [*timers, *pair_view.outputs], **quiet)
        compare_tab.select(
            open_compare, compare_view.seen, [*timers, *compare_view.outputs], **quiet
        )
        of_set = [task_view.picker, task_view.outputs[-1]]
        tasks_tab.select(open_tasks, of_set, [*timers, *task_view.outputs], **quiet)
        by_name = {
            "refine": refine_tab, "trends": trends_tab, "pairs": pairs_tab,
            "compare": compare_tab, "tasks": tasks_tab,
        }  # fmt: skip
        for name, tab in by_name.items():
            tab.select(None, js=f"() => window.codelutra.remember({{tab: '{name}'}})")
        for picker in (run_view.picker, trend_view.picker):
            picker.change(None, picker, js="run => window.codelutra.remember({run})")
        task_view.picker.change(
            None, task_view.picker, js="set => window.codelutra.remember({set})"
        )
    assert isinstance(blocks, GuardedBlocks)
    return blocks


def address(params: dict[str, str]) -> tuple[str, int | None]:
    """(tab, run) of the address bar; what makes no sense is as if it were not there."""
    tab, run = params.get("tab", ""), params.get("run", "")
    return tab if tab in TABS else TABS[0], int(run) if run.isdecimal() else None


def _active(tab: str) -> list[gr.Timer]:
    """Only the visible tab asks for news, and of the form who may start a run."""
    is_owner = caller().role is Role.OWNER
    return [gr.Timer(active=tab == name and (is_owner or name != "refine")) for name in TIMED]
