"""A page that was not fetched whole is loaded again: reloading.js, before all else in the page."""

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPT = Path(__file__).with_suffix(".js")


class Reloading:
    """ASGI middleware, for Gradio's `head` comes with the files that can be missing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._head = f"<head><script>{SCRIPT.read_text()}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        await self.app(scope, receive, self._with_head(send) if is_page else send)

    def _with_head(self, send: Send) -> Send:
        start: Message = {}
        page = b""

        async def sent(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message  # it tells the length
                return
            page += message.get("body", b"")
            if not message.get("more_body"):
                page = page.replace(b"<head>", self._head, 1)
                MutableHeaders(scope=start)["content-length"] = str(len(page))
                await send(start)
                await send({"type": "http.response.body", "body": page})

        return sent
