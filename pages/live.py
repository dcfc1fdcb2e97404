"""What an open page asks for all the time, beside Gradio: the texts and charts that changed.

An event of Gradio costs tens of milliseconds of CPU, however little it says, and 200 visitors would
ask for a hundred a second. Here a look at the runs is drawn once for all who look at the same, and
sent where it differs from what a visitor has. What is neither text nor chart (buttons, pickers) is
renewed by an event of Gradio, when the page's `mark` tells that it would show something else.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2s
from html import escape
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from codelutra.machine import num_cores
from pages.roles import Access
from pages.shared import MAX_AGE_S, news
from storage.db import StorageError

log = logging.getLogger(__name__)

PATH = "/live"
EVERY_S = 1.5  # between two questions of one page, when few are open
# For all pages together, so that a run is not slowed by those who look on: answers a second, and
# events of Gradio in a period. Events that come at once share a drawing.
ANSWERS = 4 * num_cores()
RENEWALS, FEW = 4, 4
PERIOD_S = 32.0 / num_cores()
LONGEST_S = 30.0  # between two questions, however many ask
GONE_S = 60.0  # a page that has not asked for this long is closed
SIGNED_OUT = "You are signed out, load the page again"
NO_DATABASE = "The database cannot be read, and runs wait until it can"  # no names: anybody may ask
Params = Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """The value of a component, from which the page can tell its version."""

    version: str
    value: str


Parts = Mapping[str, Part]  # by the name of their component


@dataclass(frozen=True)
class Screen:
    """What a tab says, and a value that changes when anything else on it does."""

    parts: Parts
    mark: str = ""


def version(*of: object) -> str:
    return blake2s(repr(of).encode(), digest_size=6).hexdigest()


def part(html: str) -> Part:
    now = version(html)
    return Part(now, f'<div class="live" data-version="{now}">{html}</div>')


def asks(tab: str, mark: str, **look: object) -> str:
    """What the page asks of the tab from now on, and the mark of what it shows."""
    given = {"tab": tab} | {name: value for name, value in look.items() if value is not None}
    ask = escape(urlencode(given), quote=True)
    return f'<i class="asks" data-ask="{ask}" data-mark="{mark}"></i>'


def on_load(name: str, show: str = "null") -> str:
    """The script of a component whose value is a part; `show` is what shows it, if not Gradio."""
    return f"window.codelutra.live('{name}', element, props, {show});"


ON_LOAD_ASKS = "window.codelutra.asks(element, () => trigger('renew'));"


class Crowd:
    """Who has the page open, and what that allows each of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked_at: dict[str, float] = {}
        self._renewals, self._since = 0, time.monotonic()

    def wait_s(self, page: str) -> float:
        """How long this page may wait before it asks again."""
        now = time.monotonic()
        with self._lock:
            self._asked_at[page] = now
            self._asked_at = {p: at for p, at in self._asked_at.items() if now - at < GONE_S}
            return min(LONGEST_S, max(EVERY_S, len(self._asked_at) / ANSWERS))

    def may_renew(self) -> bool:
        """Those of a few are renewed whenever they ask, of a crowd a few at a time."""
        now = time.monotonic()
        with self._lock:
            if now - self._since > PERIOD_S:
                self._renewals, self._since = 0, now
            self._renewals += 1
            return self._renewals <= RENEWALS or len(self._asked_at) <= FEW


class Live:
    """The route. `screens` draw the tabs; `around` what stands above and below all of them."""

    def __init__(
        self,
        access: Access,
        around: Callable[[], Parts],
        screens: Mapping[str, Callable[[Params], Screen]],
    ) -> None:
        self._access, self._around, self._screens = access, around, screens
        self._crowd = Crowd()
        self._is_lost = False  # the database

    async def answer(self, request: Request) -> JSONResponse:
        """GET: `page` a name for who asks, `have` versions by part, `mark`, and the tab's look.

        {"parts": {name: html}, "renew": bool, "wait_s": seconds}. {"error": words} with 401 for who
        must sign in first, and 503 while there is no database.
        """
        if not self._access.may_look(request):
            return JSONResponse({"error": SIGNED_OUT}, 401)
        params = dict(request.query_params)
        page, mark = params.pop("page", "")[:40], params.pop("mark", "")
        have = dict(each.split(":", 1) for each in params.pop("have", "").split() if ":" in each)
        wait_s = self._crowd.wait_s(page)
        news.max_age_s = max(MAX_AGE_S, wait_s / 2)  # who asks seldom can do with older ones
        key = ("live", id(self), *sorted(params.items()))
        seen: Any = news.fresh(key)
        try:
            if seen is None:
                seen = await run_in_threadpool(news.of, key, lambda: self._draw(params))
        except StorageError as error:
            if not self._is_lost:
                log.warning("open pages ask in vain: %s", error)
            self._is_lost = True
            return JSONResponse({"error": NO_DATABASE, "wait_s": wait_s}, 503)
        self._is_lost = False
        return JSONResponse(
            {
                "parts": {
                    name: each.value
                    for name, each in seen.parts.items()
                    if have.get(name, each.version) != each.version
                },
                "renew": bool(mark) and mark != seen.mark and self._crowd.may_renew(),
                "wait_s": wait_s,
            },
            headers={"Cache-Control": "no-store"},
        )

    def _draw(self, params: Params) -> Screen:
        draw = self._screens.get(params.get("tab", ""))
        tab = draw(params) if draw else Screen({})
        return Screen({**self._around(), **tab.parts}, tab.mark)
