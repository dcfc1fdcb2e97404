"""What is refused before Gradio sees it: what another site makes a browser send, a name that is
not this machine's, and what would fill the disk.

Gradio lets any site read answers with the visitor's cookies, unless it runs on localhost.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from codelutra.disk_watch import min_free_mb

SAFE = ("GET", "HEAD", "OPTIONS")
MAX_BODY_MB = 200  # of a request, so of an upload


class Gate:
    """ASGI middleware. `names`: those under which the page is reached; none: any."""

    def __init__(self, app: ASGIApp, names: Sequence[str] = ()) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http":
            app = self._refusal(Headers(scope=scope), scope["method"]) or app
        await app(scope, receive, send)

    def _refusal(self, headers: Headers, method: str) -> PlainTextResponse | None:
        if self.names and _name(headers.get("host", "")) not in self.names:
            return PlainTextResponse(
                "Nobody signs in here, so the page answers to localhost and 127.0.0.1 alone: for "
                "another name set CODELUTRA_USERS.",
                421,
            )
        if is_foreign(headers, method):
            return PlainTextResponse(
                "Another site sent this. (Behind a proxy: it must pass the Host header on.)", 403
            )
        return None if method in SAFE else _too_large(headers)


def is_foreign(headers: Headers, method: str) -> bool:
    """By what a browser says of where a request comes from; other clients say nothing.

    Links from elsewhere and being shown in a frame are no harm: their answer is the visitor's.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        is_harmful = method not in SAFE or headers.get("sec-fetch-mode") == "cors"
        return site not in ("same-origin", "none") and is_harmful
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _too_large(headers: Headers) -> PlainTextResponse | None:
    length = headers.get("content-length")
    if length is None and "transfer-encoding" in headers:
        return PlainTextResponse("Say the length of what you send (Content-Length).", 411)
    num_mb = int(length or 0) // 1_000_000  # the server has parsed it
    if num_mb > MAX_BODY_MB:
        return PlainTextResponse(
            f"{num_mb} MB are too much, {MAX_BODY_MB} MB at once is the most: take the file "
            "apart, or use the command line.",
            413,
        )
    free_mb = shutil.disk_usage(_uploads()).free // 1_000_000
    if num_mb and free_mb - num_mb < min_free_mb():
        return PlainTextResponse(f"The disk for uploads has {free_mb} MB left: make room.", 507)
    return None


def _uploads() -> Path:
    """Gradio's own folder for them, or where that will be made."""
    chosen = Path(os.environ.get("GRADIO_TEMP_DIR", ""))
    return chosen if chosen.is_absolute() and chosen.is_dir() else Path(tempfile.gettempdir())


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""
