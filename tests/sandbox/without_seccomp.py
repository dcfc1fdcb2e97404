"""A machine without seccomp: `python -m tests.sandbox.without_seccomp PROGRAM ARGUMENTS`.

Runs PROGRAM where neither it nor anything it starts can install a filter.
"""

import os
import sys

import pyseccomp

PR_SET_SECCOMP = 22


def main() -> None:
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.add_rule(pyseccomp.ERRNO(22), "seccomp")
    rules.add_rule(pyseccomp.ERRNO(22), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, PR_SET_SECCOMP))
    rules.load()
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
