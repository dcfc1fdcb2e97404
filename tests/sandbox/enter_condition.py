"""Runs the hostile suite under other rights: `python -m tests.sandbox.enter_condition PROFILE UID`.

PROFILE is a seccomp profile in Docker's format, or empty; root in a container keeps Docker's
default capabilities, any other user none.
"""

import ctypes
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

DOCKER_CAPABILITIES = {
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW"),
    *("CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"),
    *("CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
}
DOCKER_MASK = 0x00000000A80425FB
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    profile, uid = sys.argv[1], int(sys.argv[2])
    # Before the profile: it is the sandbox that must work inside, not libseccomp.
    load = prepared(Path(profile), uid) if profile else None
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    elif profile and uid == 0:
        keep_docker_capabilities()
    if load is not None:
        load.load()
    from tests.sandbox.hostile import run_all

    print(json.dumps(run_all() | {"is_profiled": is_profiled()}))


def prepared(profile: Path, uid: int) -> Any:
    import pyseccomp

    rules = json.loads(profile.read_text())
    result = pyseccomp.SyscallFilter(action(pyseccomp, rules["defaultAction"], rules))
    capabilities = DOCKER_CAPABILITIES if uid == 0 else set()
    for rule in rules["syscalls"]:
        if applies(rule, capabilities):
            for name in rule["names"]:
                add(pyseccomp, result, rule, name)
    return result


def add(pyseccomp: Any, result: Any, rule: dict[str, Any], name: str) -> None:
    arguments = [
        pyseccomp.Arg(
            a["index"],
            getattr(pyseccomp, a["op"].removeprefix("SCMP_CMP_")),
            a["value"],
            a.get("valueTwo", 0),
        )
        for a in rule.get("args") or []
    ]
    try:
        number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), name)
    except (OSError, ValueError):
        return  # another architecture's, or newer than the library
    if number >= 0:
        result.add_rule(action(pyseccomp, rule["action"], rule), number, *arguments)


def action(pyseccomp: Any, name: str, rule: dict[str, Any]) -> Any:
    if name == "SCMP_ACT_ALLOW":
        return pyseccomp.ALLOW
    assert name == "SCMP_ACT_ERRNO", name
    return pyseccomp.ERRNO(rule.get("errnoRet", rule.get("defaultErrnoRet", 1)))


def applies(rule: dict[str, Any], capabilities: set[str]) -> bool:
    wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
    machine = ARCHITECTURES[platform.machine()]
    return (
        set(wanted.get("caps", [])) <= capabilities
        and machine in wanted.get("arches", [machine])
        and kernel() >= version(wanted.get("minKernel", "0"))
        and not set(unwanted.get("caps", [])) & capabilities
        and machine not in unwanted.get("arches", [])
    )


def kernel() -> tuple[int, ...]:
    return version(".".join(platform.release().split("-")[0].split(".")[:2]))


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def keep_docker_capabilities() -> None:
    words = [DOCKER_MASK & 0xFFFFFFFF, DOCKER_MASK & 0xFFFFFFFF, 0, 0, 0, 0]
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)(*words)) != 0:
        raise OSError("capset failed")


def is_profiled() -> bool:
    return "Seccomp:\t2" in Path("/proc/self/status").read_text()


if __name__ == "__main__":
    main()
