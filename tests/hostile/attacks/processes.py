"""Attacks that live on after their step, or reach other processes."""

from __future__ import annotations

from pathlib import Path

from harness.errors import LimitError, SubmissionError
from harness.sandbox.step import MIB, Limits
from tests.hostile.attack import Attack, NotTried, attack
from tests.hostile.attempt import Attempt, plain_python
from tests.hostile.world import World

QUICK = Limits(wall_s=1.0, cpu_s=20.0, memory_bytes=512 * MIB, n_processes=64)
DIES = "every process of a step dies with it"

# The name is taken first: a control that looks too early would miss the daemon.
DAEMON = """
    rename_process(request['marker'])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(256):
                try:
                    os.close(fd)
                except OSError:
                    continue
            {then}
        os._exit(0)
    os.wait()
"""


def _never(attempt: Attempt, world: World) -> bool:
    return False


def _outlives(attack: Attack, world: World, folder: Path) -> bool:
    plain_python(attack, world, folder)
    is_alive = bool(world.survivors())
    world.end_survivors()
    return is_alive


attack(
    "daemon",
    kind="processes",
    claim=DIES,
    code=DAEMON.format(then="time.sleep(60)"),
    control=_outlives,
)
attack(
    "daemon-that-ignores-signals",
    kind="processes",
    claim=DIES,
    code="""
    import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(number, signal.SIG_IGN)
    """
    + DAEMON.format(then="time.sleep(60)"),
    control=_outlives,
)
attack(
    "daemon-that-asks-not-to-die-with-its-parent",
    kind="processes",
    claim=DIES + ": the signal at the parent's death is the first process's, not its own",
    code="""
    libc.prctl(1, 0, 0, 0, 0)
    """
    + DAEMON.format(then="libc.prctl(1, 0, 0, 0, 0); time.sleep(60)"),
    control=_outlives,
)
attack(
    "daemon-after-the-worker-died",
    kind="processes",
    claim=DIES,
    code=DAEMON.format(then="time.sleep(60)") + "    os._exit(0)\n",
    ends=SubmissionError,
    says="without a report",
    control=_outlives,
)
attack(
    "hang-and-ignore-sigterm",
    kind="processes",
    claim="at the time limit a step is killed, not asked",
    code="""
    import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    rename_process(request['marker'])
    time.sleep(60)
    """,
    limits=QUICK,
    ends=LimitError,
    says=r"wall time: \d+\.\d s used, 1 s allowed",
    got_through=_never,
    control=NotTried(because="it is an ordinary program that takes a minute"),
)
attack(
    "hang-in-a-stopped-process",
    kind="processes",
    claim="a stopped process dies too",
    code="""
    import signal
    rename_process(request['marker'])
    os.kill(os.getpid(), signal.SIGSTOP)
    """,
    limits=QUICK,
    ends=LimitError,
    says="wall time",
    got_through=_never,
    control=NotTried(because="it is an ordinary program that stops"),
)
attack(
    "kill-the-scorer",
    kind="processes",
    claim="processes outside do not exist for a step",
    code="""
    try:
        os.kill(request['parent'], 0)
        found = True
    except PermissionError:
        found = True
    """,
)
attack(
    "kill-everyone",
    kind="processes",
    claim="a step can kill itself only",
    code="os.kill(-1, 9)",
    control=NotTried(because="it would kill everyone"),
)
attack(
    "kill-the-first-process",
    kind="processes",
    claim="the first process of a step's namespace can't be killed from within",
    code="""
    os.kill(1, 9)
    time.sleep(0.2)
    found = False
    """,
    control=NotTried(because="the kernel protects the first process of the machine too"),
)
attack(
    "see-other-processes",
    kind="processes",
    claim="processes outside do not exist for a step",
    code="""
    def is_there(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    found = [pid for pid in range(1, 70000) if is_there(pid) and pid not in (1, os.getpid())]
    """,
)
attack(
    "lower-the-scorers-priority",
    kind="processes",
    claim="processes outside do not exist for a step",
    code="""
    os.getpriority(os.PRIO_PROCESS, request['parent'])
    found = True
    """,
)
