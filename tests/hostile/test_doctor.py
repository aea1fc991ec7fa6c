"""`harness doctor` is not satisfied by a bubblewrap that leaves out, or changes, any one thing.

Some words of the command change nothing on any machine that is known: without them the sandbox is
the same. That the program was not asked for them is seen even so.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.errors import EnvironmentFaultError
from harness.sandbox import bubblewrap, doctor, look, open_workspace
from tests.broken_bwrap import options, write_bwrap
from tests.hostile.as_user import can_become_user, command_as_user
from tests.surroundings import surroundings

# A user who is neither root nor the one that a step becomes.
USER = 23_456
FDS = {"seccomp": 7, "info": 8, "cmdline": 9, "cpuinfo": 10, "refusal": 11}
# These have another number in each step.
NUMBERED = ("--seccomp", "--info-fd", "--ro-bind-data")
WITHOUT_EFFECT = {
    "--unshare-user": "bubblewrap does it by itself for an ordinary user",
    "--cap-drop": "setpriv, or the user namespace, takes all capabilities away",
    "--dir": "bubblewrap makes most of them by itself on the way to what lies in them",
    "--no-new-privs": "bubblewrap sets it by itself",
}
# Other words in the place of those that are asked for, or besides them.
PACKAGE = "/opt/harness/harness"
CHANGES = {
    "a writable package": f"swap('--ro-bind', {PACKAGE!r}, '--bind', words[words.index({PACKAGE!r})"
    f" - 1], {PACKAGE!r})",
    "a writable input": "swap('--ro-bind', '/in/input', '--bind', '/etc/hostname', '/in/input')",
    "an output that is read-only": "swap('--bind', '/out/output', '--ro-bind', '/etc/hostname', "
    "'/out/output')",
    "an output that lies in scratch": "swap('--bind', '/out/output', '--symlink', '/tmp/x', "
    "'/out/output')",
    "a device as a file": "swap('--dev-bind', '/dev/null', '--ro-bind', '/dev/null', '/dev/null')",
    "another device": "swap('--dev-bind', '/dev/null', '--dev-bind', '/dev/zero', '/dev/null')",
    "a device more": "add('--dev-bind', '/dev/zero', '/dev/zero')",
    "another host name": "swap('--hostname', None, '--hostname', 'elsewhere')",
    "more scratch space": "swap('--size', None, '--size', str(2**30))",
    "a closed scratch folder": "swap('--perms', '1777', '--perms', '0700')",
    "a shared folder of its own": "swap('--symlink', '/dev/shm', '--tmpfs', '/dev/shm')",
    "a stale stand-in": "swap('--ro-bind-data', '/proc/cpuinfo', '--ro-bind-data', file(b'x'), "
    "'/proc/cpuinfo')",
    "another link": "swap('--symlink', '/proc/self/exe', '--symlink', '/x', '/proc/self/exe')",
    "a weaker filter": "swap('--seccomp', None, '--seccomp', "
    "file(bytes.fromhex('060000000000ff7f')))",
    "a procfs": "add('--proc', '/opt/proc')",
    "the root of the host": "add('--ro-bind', '/', '/opt/host')",
    "a folder that can be written": "add('--bind', '/var/tmp', '/root2')",
    "a variable": "add('--setenv', 'SECRET', 'x')",
    "a capability": "add('--cap-add', 'CAP_SYS_ADMIN')",
}


def asked_for() -> list[tuple[str, ...]]:
    """Return each option of the command that starts the trial, and each of setpriv's."""
    words = bubblewrap.command(
        look.LOOKS,
        bwrap=bubblewrap.find_bwrap(),
        inputs={"input": Path("/x")},
        outputs={"output": Path("/x")},
        uid=bubblewrap.unprivileged_uid(),
        fds=FDS,
        arguments=[],
    )
    after = words[words.index("--", words.index("--info-fd")) + 2 : -1]
    pairs = [(word, after[i + 1]) for i, word in enumerate(after) if word in ("--reuid", "--regid")]
    alone = [(word,) for word in after if word.startswith("--") and word not in dict(pairs)]
    return [*options(words), *pairs, *alone]


def dropping(option: tuple[str, ...], n_before: int = 0) -> str:
    """Return the change of a bubblewrap that never heard of an option, after so many alike."""
    name, *arguments = option
    if name in ("--reuid", "--regid"):
        return f"place = words.index({name!r}); del words[place:place + 2]"
    if name.startswith(("--clear", "--bounding", "--inh", "--no-new")):
        return f"words.remove({name!r})"
    last = arguments[-1] if arguments and (name not in NUMBERED or len(arguments) > 1) else None
    return f"drop({name!r}, {last!r}, {n_before})"


def what_is_seen(change: str) -> dict[str, str]:
    """Try the isolation with a bubblewrap that is changed; return what did not hold."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        broken = write_bwrap(Path(name), change)
        try:
            with (
                patch.object(bubblewrap, "find_bwrap", lambda: broken),
                open_workspace("bwrap") as workspace,
            ):
                guards = doctor.try_isolation(workspace)
        except EnvironmentFaultError as error:
            return {"start": str(error)}
    return {tried.guard: tried.detail for tried in guards if not tried.is_held}


def all_that_is_seen() -> Iterator[tuple[str, dict[str, str]]]:
    """Drop each option, one by one, then make each change; yield what was seen."""
    yield "nothing", what_is_seen("")
    alike: Counter[tuple[str, ...]] = Counter()
    for option in asked_for():
        name = f"{' '.join(option)} ({alike[option]})"
        yield name, what_is_seen(dropping(option, alike[option]))
        alike[option] += 1
    for name, change in CHANGES.items():
        yield name, what_is_seen(change)


@functools.cache
def seen(user: int | None) -> dict[str, dict[str, str]]:
    """Return all that is seen, as the present user or as another."""
    if user is None:
        return dict(all_that_is_seen())
    done = subprocess.run(
        command_as_user([sys.executable, "-m", "tests.hostile.test_doctor"], user),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


every_user = pytest.mark.parametrize(
    "user",
    [
        None,
        pytest.param(
            USER, marks=pytest.mark.skipif(not can_become_user(), reason="for root: become a user")
        ),
    ],
    ids=["present user", "ordinary user"],
)


@every_user
def test_an_unchanged_bubblewrap_passes(user):
    assert seen(user)["nothing"] == {}


@every_user
def test_each_option_that_is_dropped_is_seen(user):
    found = {name: guards for name, guards in seen(user).items() if name.startswith("--")}

    assert len(found) > 50
    assert [name for name, guards in found.items() if not guards] == []


@every_user
def test_without_an_option_the_sandbox_itself_is_seen_to_be_another(user):
    """Not only the words: what is tried fails, but for words that change nothing."""
    alike = [
        name
        for name, guards in seen(user).items()
        if name.startswith("--") and {*guards} == {"command"}
    ]

    assert {name.split(maxsplit=1)[0] for name in alike} <= {*WITHOUT_EFFECT}


@every_user
def test_each_change_is_seen_in_the_sandbox_itself(user):
    found = {name: {*seen(user)[name]} - {"command"} for name in CHANGES}
    is_root = user is None and os.geteuid() == 0
    alike = {"a capability"} if is_root else set()  # setpriv takes it away again

    assert {name for name, guards in found.items() if not guards} == alike
    # A checkout below the folder that is the scratch cannot be reached through a closed one.
    is_below = Path(sys.prefix).resolve().is_relative_to("/tmp")
    unreachable = {"a closed scratch folder"} if is_below else set()
    assert {name for name, guards in found.items() if "start" in guards} <= unreachable


@every_user
@pytest.mark.parametrize("name", surroundings())
def test_in_other_surroundings_the_doctor_raises_no_alarm(user, name):
    command = [*surroundings()[name], sys.executable, "-m", "harness.cli", "doctor", "--json"]

    done = subprocess.run(
        command if user is None else command_as_user(command, user),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=280,
    )

    assert [tried for tried in json.loads(done.stdout) if not tried["is_held"]] == []
    assert done.returncode == 0


if __name__ == "__main__":
    print(json.dumps(dict(all_that_is_seen())))  # noqa: T201 a program that prints
