"""An engine server as a child: what answers is what was loaded, whatever lies on the disk since."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codelutra.adapters import WEIGHTS
from codelutra.answering import load, model_of, stream
from codelutra.config import TransformersBackend, VllmBackend
from codelutra.errors import StopRequested
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.model_states import ModelState
from codelutra.models import model_revision
from codelutra.serving.server import BASE, Server, Wanted
from codelutra.starter import MODEL_DIR
from codelutra.tasks import load_tasks
from tests.generation.adapters import make_adapter
from tests.generation.backends import needs_vllm

PROMPT = load_tasks("starter")[7].prompt
REQUEST = GenerationRequest(1, 0.0, 1.0, 40, 0)
FLOAT32 = {"backend": "transformers", "dtype": "float32"}


def never() -> bool:
    return False


@pytest.fixture(scope="module", params=["transformers", pytest.param("vllm", marks=needs_vllm)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    known = {"transformers": TransformersBackend, "vllm": VllmBackend}
    backend = known[request.param](dtype="float32")
    server = Server(Wanted("starter", backend), tmp_path_factory.mktemp("engine"))
    try:
        server.wait_until_ready(never)
        yield server
    finally:
        server.stop()


@pytest.fixture
def state(tmp_path: Path) -> Callable[..., ModelState]:
    def make(seed: int, size: float = 0.3) -> ModelState:
        made = make_adapter(tmp_path / f"made-{seed}", seed=seed, size=size)
        revision = model_revision("starter")
        return ModelState(f"run:1/{seed}", f"iteration {seed}", "iteration", "starter", revision,
                          made.path, made.sha256)  # fmt: skip

    return make


def alone(adapter: str) -> str:
    generator = load_generator(FLOAT32, str(MODEL_DIR), adapter)
    ((_, ((found,),)),) = generator.generate([Chunk(0, (PROMPT,))], REQUEST)
    return found.text


def test_columns_that_stream_at_once_say_what_each_adapter_says_alone(
    server: Server, state: Callable[..., ModelState]
) -> None:
    base = ModelState("base:starter", "starter", "base", "starter", model_revision("starter"))
    states = [base, state(1), state(2)]
    proofs = [load(server, each) for each in states]
    assert [proof.problem for proof in proofs] == ["", "", ""]
    assert all("the adapter answers" in proof.probe for proof in proofs[1:])
    sources = {place: (server.client, model_of(proof), PROMPT, proof)
               for place, proof in enumerate(proofs)}  # fmt: skip
    *_, told = stream(sources, REQUEST, never)
    said = [told[place].texts[0] for place in range(3)]
    assert said == [alone(each.adapter) for each in states]
    assert len(set(said)) == 3
    assert [told[place].endings[0] for place in range(3)]
    assert all(told[place].proof.num_tokens > 3 for place in range(3))


def test_a_file_that_was_replaced_is_found_out_and_a_copy_is_what_answers(
    server: Server, state: Callable[..., ModelState]
) -> None:
    trained, other = state(3), state(4)
    shutil.copyfile(Path(other.adapter) / WEIGHTS, Path(trained.adapter) / WEIGHTS)
    proof = load(server, trained)
    assert "this is not iteration 3" in proof.problem
    assert proof.sha256 == other.sha256
    assert load(server, other).problem == ""
    (Path(other.adapter) / WEIGHTS).write_bytes(b"no weights")
    assert load(server, other).sha256 == other.sha256


def test_a_start_can_be_stopped(tmp_path: Path) -> None:
    server = Server(Wanted("starter", TransformersBackend()), tmp_path)
    with pytest.raises(StopRequested):
        server.wait_until_ready(lambda: True)
    server.stop()


def test_an_answer_that_its_server_cut_off_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    server = Server(Wanted("starter", TransformersBackend()), tmp_path)
    server.wait_until_ready(never)
    state = ModelState("base:starter", "starter", "base", "starter", model_revision("starter"))
    long = GenerationRequest(20, 1.0, 1.0, 300, 0)
    sources = {0: (server.client, BASE, PROMPT, load(server, state))}
    is_stopped = False
    for told in stream(sources, long, never):
        if not is_stopped and any(told[0].texts.values()):
            server.stop()
            is_stopped = True
    assert told[0].error
    assert len(told[0].endings) < 20
