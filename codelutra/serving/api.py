"""The HTTP side of our own server: the part of OpenAI's API, and of vLLM's, that is used here.

`/v1/models` says of each adapter the sha256 of the weights that this process loaded.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, Field

from codelutra.chat import chat_prompt
from codelutra.errors import CodeLutraError
from codelutra.generation.backend import GenerationRequest
from codelutra.serving.switching import News, Row, SwitchingGenerator

DEFAULT_TOKENS = 16  # OpenAI's own
DEFAULT_CHAT_TOKENS = 1024  # or what the window still holds: OpenAI's own is without end
MAX_TOKENS, MAX_SAMPLES = 32_768, 200


class CompletionRequest(BaseModel):
    """What is not named here would change the text, and is refused."""

    model_config = ConfigDict(extra="forbid")

    model: str
    prompt: str | list[int]
    n: int = Field(1, ge=1, le=MAX_SAMPLES)
    seed: int | None = Field(None, ge=0)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(DEFAULT_TOKENS, ge=1, le=MAX_TOKENS)
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None  # vLLM's: of the prompt's own tokens
    user: str = ""


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """As above: what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Message] = Field(min_length=1)
    n: int = Field(1, ge=1, le=MAX_SAMPLES)
    seed: int | None = Field(None, ge=0)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=MAX_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=MAX_TOKENS)  # its newer name
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    user: str = ""


class LoadRequest(BaseModel):
    """As vLLM has it."""

    lora_name: str = Field(pattern=r"[A-Za-z0-9_-]{1,120}")
    lora_path: str


class BadRequest(Exception):
    pass


def build(
    generator: SwitchingGenerator, base: str, *, revision: str, token: str, may_load: bool
) -> FastAPI:
    """`base` is the name of the base; without a `token` everybody who reaches it may ask."""
    app = FastAPI(title="CodeLutra engine", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def check_token(request: Request, call_next: Any) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and not secrets.compare_digest(given.encode(), token.encode()):
            return _error("a bearer token is wanted", 401)
        response: Response = await call_next(request)
        return response

    @app.exception_handler(BadRequest)
    @app.exception_handler(CodeLutraError)
    async def explain(_: Request, error: Exception) -> Response:
        return _error(str(error), 400)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        window = generator.reader.window
        shown = {"object": "model", "owned_by": "codelutra", "max_model_len": window}
        adapters = [
            {"id": name, **shown, "parent": base, "sha256": sha256}
            for name, sha256 in generator.adapters.items()
        ]
        return {"object": "list", "data": [{"id": base, **shown, "revision": revision}, *adapters]}

    def answer(wish: CompletionRequest, shape: "_Shape") -> Any:
        adapter = "" if wish.model == base else wish.model
        if adapter and adapter not in generator.adapters:
            return _error(f"there is no model {wish.model!r}", 404)
        reply = _Reply(generator, adapter, wish, shape)
        if wish.stream:
            return StreamingResponse(reply.events(), media_type="text/event-stream")
        return reply.whole()

    @app.post("/v1/completions")
    def completions(wish: CompletionRequest) -> Any:
        return answer(wish, TEXT)

    @app.post("/v1/chat/completions")
    def chat(wish: ChatRequest) -> Any:
        return answer(_as_completion(generator, wish), CHAT)

    if may_load:

        @app.post("/v1/load_lora_adapter")
        def load_adapter(wish: LoadRequest) -> dict[str, str]:
            return {"sha256": generator.load_adapter(wish.lora_name, wish.lora_path)}

    return app


@dataclass(frozen=True)
class _Shape:
    """How an answer is written down: whole, and piece by piece."""

    prefix: str
    whole: str
    piece: str
    choice: Callable[[Row, bool], dict[str, Any]]
    part: Callable[[Row, bool], dict[str, Any]]


class _Reply:
    def __init__(
        self,
        generator: SwitchingGenerator,
        adapter: str,
        wish: CompletionRequest,
        shape: _Shape,
    ) -> None:
        self.generator, self.adapter, self.wish, self.shape = generator, adapter, wish, shape
        self.ids = wish.prompt if isinstance(wish.prompt, list) else _ids(generator, wish.prompt)
        if not self.ids or not generator.reader.fits(self.ids, wish.max_tokens):
            raise BadRequest(
                f"the prompt has {len(self.ids)} tokens and {wish.max_tokens} are to follow: this "
                f"model holds {generator.reader.window}"
            )
        size = len(generator.tokenizer)
        if not all(0 <= token < size for token in self.ids):
            raise BadRequest(f"token ids are below {size}")
        stop = [wish.stop] if isinstance(wish.stop, str) else wish.stop or []
        seed = secrets.randbits(31) if wish.seed is None else wish.seed
        self.request = GenerationRequest(
            wish.n, wish.temperature, wish.top_p, wish.max_tokens, seed,
            tuple(filter(None, stop)), wish.logprobs is not None,
        )  # fmt: skip
        self.head = {
            "id": f"{shape.prefix}-{secrets.token_hex(8)}",
            "object": shape.piece if wish.stream else shape.whole,
            "created": int(time.time()),
            "model": wish.model,
        }

    def events(self) -> Iterator[str]:
        used: dict[str, Any] = {}
        for news in self._news():
            used = self._usage(news.num_tokens)
            if choices := [self.shape.part(row, self.request.logprobs) for row in news.rows]:
                yield _event({**self.head, "choices": choices, "usage": used})
        yield _event({**self.head, "choices": [], "usage": used})
        yield "data: [DONE]\n\n"

    def whole(self) -> dict[str, Any]:
        rows = [Row(index) for index in range(self.wish.n)]
        tokens = 0
        for news in self._news():
            tokens = news.num_tokens
            for row in news.rows:
                whole = rows[row.index]
                whole.text += row.text
                whole.logprobs += row.logprobs
                whole.finish_reason = row.finish_reason
        choices = [self.shape.choice(row, self.request.logprobs) for row in rows]
        if self.wish.prompt_logprobs is not None:
            choices[0]["prompt_logprobs"] = self._prompt_logprobs()
        return {**self.head, "choices": choices, "usage": self._usage(tokens)}

    def _news(self) -> Iterator[News]:
        return self.generator.stream(self.adapter, self.ids, self.request)

    def _prompt_logprobs(self) -> list[dict[str, Any] | None]:
        scored = self.generator.prompt_logprobs(self.adapter, self.ids)
        tokenizer = self.generator.tokenizer
        known = [
            {str(token): {"logprob": logprob, "decoded_token": tokenizer.decode([token])}}
            for token, logprob in zip(self.ids[1:], scored, strict=True)
        ]
        return [None, *known]

    def _usage(self, tokens: int) -> dict[str, int]:
        prompt = len(self.ids)
        return {
            "prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens
        }  # fmt: skip


def _choice(row: Row, has_logprobs: bool) -> dict[str, Any]:
    logprobs = {"token_logprobs": row.logprobs} if has_logprobs else None
    return {**vars(row), "logprobs": logprobs}


def _message(row: Row, _: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": row.text}
    return {"index": row.index, "message": message, "finish_reason": row.finish_reason}


def _delta(row: Row, _: bool) -> dict[str, Any]:
    delta = {"role": "assistant", "content": row.text}
    return {"index": row.index, "delta": delta, "finish_reason": row.finish_reason}


TEXT = _Shape("cmpl", "text_completion", "text_completion", _choice, _choice)
CHAT = _Shape("chatcmpl", "chat.completion", "chat.completion.chunk", _message, _delta)


def _as_completion(generator: SwitchingGenerator, wish: ChatRequest) -> CompletionRequest:
    """The base's template around the messages, as in training and sampling."""
    if not getattr(generator.tokenizer, "chat_template", None):
        raise BadRequest("this base has no chat template: ask /v1/completions")
    try:
        text = chat_prompt(generator.tokenizer, [vars(message) for message in wish.messages])
    except TemplateError as error:
        raise BadRequest(f"the base's chat template refuses this: {error}") from error
    left = (generator.reader.window or MAX_TOKENS) - len(_ids(generator, text))
    limit = wish.max_tokens or wish.max_completion_tokens or min(DEFAULT_CHAT_TOKENS, max(left, 1))
    same = wish.model_dump(exclude={"messages", "max_tokens", "max_completion_tokens"})
    return CompletionRequest(prompt=text, max_tokens=limit, **same)


def _ids(generator: SwitchingGenerator, prompt: str) -> list[int]:
    ids: list[int] = generator.tokenizer(prompt)["input_ids"]
    return ids


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _error(message: str, code: int) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return JSONResponse({"error": error}, status_code=code)
