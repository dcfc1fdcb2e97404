"""One program in one interpreter, with no fence: for machines that have none, where asked for.

Run by path, never imported by CodeLutra: `python unfenced.py JOB_FD TIER`, on any POSIX system.
"""

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import fences
import output
from job import JOB_FD, PROGRAM, read_request, run_job
from tiers import load_tier

del sys.path[0]


def main() -> None:
    os.dup2(int(sys.argv[1]), JOB_FD)
    encoder = load_tier(sys.argv[2])
    output.replace_streams()
    sys.argv = [PROGRAM]
    request = read_request()
    limit_resources(request)
    run_job(request, encoder)


def limit_resources(request: dict[str, Any]) -> None:
    """Against accidents, not against intent."""
    cpu_s = int(time.process_time() + request["cpu_s"]) + 1
    fences.limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)  # SIGXCPU, then SIGKILL
    with contextlib.suppress(OSError, ValueError):  # only Linux knows and enforces these
        fences.limit(resource.RLIMIT_AS, fences.virtual_memory() + (request["memory_mb"] << 20))


if __name__ == "__main__":
    main()
