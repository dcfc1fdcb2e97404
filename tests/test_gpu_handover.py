"""The GPU is not taken from others, and not trained on before it was given back."""

import pytest

from codelutra.errors import GenerationError
from codelutra.gpu_handover import GIB, check_free, wait_until_returned
from codelutra.machine import Machine


def gpu(free: float) -> Machine:
    return Machine(64 * GIB, 60 * GIB, GIB, GIB, "NVIDIA L4", 24 * GIB, int(free * GIB))


CPU = Machine(64 * GIB, 60 * GIB, GIB, GIB)


def test_vllm_is_not_started_where_another_process_holds_the_gpu() -> None:
    check_free(0.9, gpu(23))
    check_free(0.9, CPU)
    message = r"NVIDIA L4: 4\.0 of 24\.0 GiB are free, vLLM wants 21\.6.*gpu_memory_utilization"
    with pytest.raises(GenerationError, match=message):
        check_free(0.9, gpu(4))


def test_training_waits_for_what_sampling_held() -> None:
    frees = iter([2.0, 10.0, 22.5])
    waited: list[float] = []
    wait_until_returned(gpu(23), lambda: gpu(next(frees)), waited.append)
    assert len(waited) == 2


def test_training_does_not_start_beside_somebody_else() -> None:
    with pytest.raises(GenerationError, match=r"has 9\.0 GiB free and had 23\.0 before"):
        wait_until_returned(gpu(23), lambda: gpu(9), lambda _: None)


def test_without_a_gpu_nothing_is_waited_for() -> None:
    wait_until_returned(CPU, lambda: pytest.fail("looked"))
