"""An OpenAI-compatible server on loopback that answers with transformers, and can misbehave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from codelutra.generation import Chunk, GenerationRequest, load_generator

BACKEND = {"backend": "transformers", "dtype": "float32"}


class FakeServer:
    """`failures` are status codes that the next completions are answered with."""

    def __init__(self, model: str, *, loads_adapters: bool = True, deaf_to: str = "") -> None:
        self.model, self.loads_adapters = model, loads_adapters
        self.generators = {model: load_generator(BACKEND, model)}
        self.deaf_to = deaf_to  # "adapters": it takes them and answers with the base
        self.failures: list[int] = []
        self.prompts: list[str] = []
        self.names: list[str] = []  # that completions were asked of
        self._turn = threading.Lock()
        self.url = ""

    def models(self) -> dict[str, Any]:
        rows = [{"id": name, "object": "model", "max_model_len": 512} for name in self.generators]
        return {"object": "list", "data": rows}

    def load(self, body: dict[str, Any]) -> None:
        adapter = "" if self.deaf_to == "adapters" else body["lora_path"]
        self.generators[body["lora_name"]] = load_generator(BACKEND, self.model, adapter)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        generator = self.generators[body["model"]]
        self.names.append(body["model"])
        if isinstance(body["prompt"], list):
            (found,) = generator.token_logprobs(body["prompt"])
            scored = [
                {str(token): {"logprob": value}}
                for token, value in zip(body["prompt"][1:], found, strict=True)
            ]
            choice = {"index": 0, "text": "", "finish_reason": "length", "logprobs": None}
            return self._answer([{**choice, "prompt_logprobs": [None, *scored]}], 1)
        self.prompts.append(body["prompt"])
        request = GenerationRequest(
            body["n"],
            body["temperature"],
            body["top_p"],
            body["max_tokens"],
            body["seed"],
            tuple(body.get("stop") or ()),
            body.get("logprobs") is not None,
        )
        ((_, (drawn,)),) = generator.generate([Chunk(0, (body["prompt"],))], request)
        choices = [
            {
                "index": index,
                "text": each.text,
                "finish_reason": "stop" if each.ending == "end" else "length",
                "logprobs": {"token_logprobs": [each.logprob]} if request.logprobs else None,
            }
            for index, each in enumerate(drawn)
        ]
        return self._answer(choices[::-1], sum(each.num_tokens for each in drawn))

    def _answer(self, choices: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        return {
            "id": "x",
            "object": "text_completion",
            "created": 1,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        }

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        with self._turn:
            if path == "/v1/models":
                return 200, self.models()
            if path == "/v1/load_lora_adapter" and self.loads_adapters:
                if not Path(body["lora_path"]).is_dir():
                    return 404, {"error": {"message": "No adapter found there."}}
                self.load(body)
                return 200, "Success"
            if path != "/v1/completions":
                return 404, {"detail": "Not Found"}
            if self.failures:
                return self.failures.pop(0), {"error": {"message": "busy"}}
            return 200, self.complete(body)


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            code, answer = server.answer(self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield server
        http.shutdown()
