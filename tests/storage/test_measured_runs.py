"""What earlier runs took is summed over their evaluated iterations."""

from sqlmodel import Session

from storage import db, queries, recording
from storage.pace import measured_runs
from tests.storage.rows import iteration, pair, sample

SCORES = {"pass_at_1": 0.5, "ci95": [0.4, 0.6], "num_tasks": 9, "syntax_error": 0.1, "verdicts": {}}


def add_run(session: Session, **config: object) -> int:
    run = queries.create_run(
        session, name="r", config={"model": "starter", **config}, num_train=2, num_heldout=1
    )
    assert run.id is not None
    for number in (0, 1, 2):
        where = iteration(session, run.id, number)
        recording.add_seconds(session, iteration_id=where, phase="evaluate", seconds=3.0)
        rows = [sample("h", 0, "correct")]
        recording.add_samples(session, iteration_id=where, split="heldout", rows=rows)
        if number:
            rows = [sample(task, index, "correct") for task in "ab" for index in range(3)]
            recording.add_samples(session, iteration_id=where, split="train", rows=rows)
            recording.add_pairs(session, iteration_id=where, rows=[pair(0, 1)])
            recording.add_seconds(session, iteration_id=where, phase="sample", seconds=5.0)
            facts = {"run_tokens": 300, "stock_tokens": 900}
            recording.add_training_facts(session, iteration_id=where, facts=facts)
            metrics = {"tokens_per_second": 50.0}
            recording.add_training_step(session, iteration_id=where, step=1, metrics=metrics)
        if number < 2:  # the last one is still under way
            recording.add_scores(session, iteration_id=where, row=SCORES)
    return run.id


def test_only_evaluated_iterations_of_the_model_count(run_id: int) -> None:
    with db.open_session() as session:
        mine = add_run(session)
        add_run(session, model="another")
    with db.open_session() as session:
        (run,) = measured_runs(session, model="starter")
    assert (run.run_id, run.seconds) == (mine, {"evaluate": 6.0, "sample": 5.0})
    assert (run.num_sampled, run.num_scored, run.num_pairs, run.num_train) == (6, 2, 1, 2)
    assert (run.run_tokens, list(run.rates)) == (0, [])


def test_of_a_smoke_test_the_base_does_not_count_and_the_steps_do(run_id: int) -> None:
    with db.open_session() as session:
        add_run(session, smoke=True)
    with db.open_session() as session:
        (run,) = measured_runs(session, model="starter")
    assert run.seconds == {"evaluate": 3.0, "sample": 5.0}
    assert (run.num_scored, run.run_tokens, list(run.rates)) == (1, 300, [50.0])
