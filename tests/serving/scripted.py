"""An OpenAI-compatible server that says what a test wrote down, piece by piece, or never ends."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def scripted(answers: dict[str, str], endless: str = "") -> Iterator[str]:
    """`answers` by name of the model; the one named `endless` says its answer again and again.

    Yields the address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"object": "list", "data": [{"id": name} for name in answers]})
            self._begin("application/json")
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._begin("text/event-stream")
            text = answers[asked["model"]]
            with contextlib.suppress(ConnectionError):
                while asked["model"] == endless:
                    self._say(text, None)
                    time.sleep(0.002)
                for start in range(0, len(text), 20):
                    self._say(text[start : start + 20], None)
                self._say("", "stop")
                self.wfile.write(b"data: [DONE]\n\n")

        def _begin(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.end_headers()

        def _say(self, text: str, ending: str | None) -> None:
            choice = {"index": 0, "text": text, "finish_reason": ending, "logprobs": None}
            row = {"id": "1", "object": "text_completion", "created": 0, "model": "m"}
            self.wfile.write(f"data: {json.dumps({**row, 'choices': [choice]})}\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
