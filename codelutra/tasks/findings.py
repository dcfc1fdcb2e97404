"""What can be wrong with a task's gold, in words. Imports nothing: pages read it, too."""

from dataclasses import dataclass

PROBLEMS = {  # what a gold can have, the worst first
    "failing": "the gold does not run, or fails its own tests",
    "nondeterministic": "the gold gives another answer when it runs again",
    "order_dependent": "the answer hangs on the order of rows that nothing puts in order",
    "empty": "the gold gives nothing: a wrong program gives that by luck",
    "slow": "the gold needs much of the time that a program may have",
    "weak_proof": "the tests run beside the program, which could forge a pass",
}
NO_LABEL = ("failing", "nondeterministic")  # with these a verdict says nothing


@dataclass(frozen=True)
class Finding:
    task_id: str
    problem: str  # one of PROBLEMS
    reason: str
