"""The list of what a sandbox sees is short, and holds no events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from struct import unpack_from

from harness.sandbox import bindings
from harness.sandbox.bubblewrap import FIRST_UID, UID_BITS, command, find_bwrap, unprivileged_uid
from harness.sandbox.seccomp import DENIED, MISSING, filter_program
from harness.sandbox.step import Step

FDS = {"seccomp": 10, "info": 11, "cmdline": 12, "cpuinfo": 13, "refusal": 14}


def _command(uid: int | None) -> list[str]:
    return command(
        Step(name="x", entry="harness.a:b"),
        bwrap=Path("/bwrap"),
        inputs={"events": Path("/data/events.npy")},
        outputs={"scores": Path("/work/scores")},
        uid=uid,
        fds=FDS,
        arguments=["python", "worker.py"],
    )


def _binds(words: list[str]) -> dict[str, tuple[str, str]]:
    options = ("--bind", "--ro-bind", "--dev-bind")
    return {words[i + 2]: (word, words[i + 1]) for i, word in enumerate(words) if word in options}


def test_only_outputs_are_writable():
    writable = [
        place for place, (option, _) in _binds(_command(None)).items() if option == "--bind"
    ]

    assert writable == ["/out/scores"]


def test_inputs_lie_under_in_and_outputs_under_out():
    binds = _binds(_command(None))

    assert binds["/in/events"] == ("--ro-bind", "/data/events.npy")
    assert binds["/out/scores"] == ("--bind", "/work/scores")


def test_no_home_no_checkout_and_no_temporary_folder_is_bound():
    places = {Path(host) for _, host in _binds(_command(None)).values()}
    checkout = Path(bindings.__file__).resolve().parents[2]

    assert not {Path("/"), Path.home(), checkout, Path("/tmp"), Path("/etc"), Path("/usr")} & places


def test_the_events_of_the_package_are_covered():
    words = _command(None)

    place = words.index("--tmpfs", words.index("--ro-bind"))
    assert words[place + 1] == "/opt/harness/harness/data"


def test_a_package_that_needs_a_procfs_is_replaced_where_it_is_bound():
    (place,) = bindings.refused(bindings.interpreter())
    words = _command(None)

    assert place.endswith("site-packages/psutil/__init__.py")
    assert words[words.index(place) - 2 : words.index(place)] == ["--ro-bind-data", "14"]
    assert bindings.refused([Path("/usr/share")]) == ()


def test_a_package_within_the_bound_packages_is_covered_there_too(monkeypatch):
    installed = Path("/venv/lib/python3/site-packages/harness")
    monkeypatch.setattr(bindings, "package_folder", lambda: installed)

    assert str(installed) in bindings.covered([Path("/venv/lib")])
    assert str(installed) not in bindings.covered([Path("/usr/lib")])


def test_root_becomes_a_user_of_the_step_s_own():
    words = _command(FIRST_UID + 5)

    assert "--unshare-user" not in words
    kept = [words[i + 1] for i, word in enumerate(words) if word == "--cap-add"]
    assert kept == ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]
    become = words[words.index("--", words.index("--info-fd")) + 1 :]
    assert become[0].endswith("setpriv")
    assert become[become.index("--reuid") + 1] == str(FIRST_UID + 5)
    assert {"--clear-groups", "--bounding-set=-all", "--no-new-privs"} <= set(become)


def test_an_ordinary_user_gets_a_user_namespace_without_capabilities():
    words = _command(None)

    assert "--unshare-user" in words
    assert "--cap-add" not in words
    assert words[words.index("--cap-drop") + 1] == "ALL"


def test_users_of_steps_are_beyond_those_of_the_system(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("harness.sandbox.bubblewrap._is_mapped", lambda uid: True)

    uids = {unprivileged_uid() for _ in range(50)}

    assert len(uids) > 45
    assert all(FIRST_UID <= uid < FIRST_UID + 2**UID_BITS < 2**31 for uid in uids)


def test_where_few_users_are_mapped_root_becomes_nobody(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("harness.sandbox.bubblewrap._is_mapped", lambda uid: uid < 65536)

    assert unprivileged_uid() == 65534


def test_outermost_drops_what_lies_within_another(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)

    kept = bindings.outermost([tmp_path / "a/b", tmp_path / "a", tmp_path / "missing"])

    assert kept == (tmp_path / "a",)


def test_the_environment_holds_nothing_of_the_host(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    environment = bindings.environment("/tmp")

    assert set(environment) == {*bindings.ENVIRONMENT, "HOME", "TMPDIR", "KERAS_HOME"}


def test_the_filter_is_a_program_of_whole_instructions():
    program = filter_program()

    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096  # BPF_MAXINSNS


def test_no_call_is_listed_twice():
    names = (*DENIED, *MISSING)

    assert len(names) == len(set(names))


def loader_of(program: Path) -> Path:
    """Return what a 64-bit ELF program names in its segment PT_INTERP, which has the type 3."""
    content = program.read_bytes()
    (start,) = unpack_from("<Q", content, 32)
    size, n_segments = unpack_from("<HH", content, 54)
    for place in range(start, start + n_segments * size, size):
        kind, _, offset, _, _, n_bytes = unpack_from("<IIQQQQ", content, place)
        if kind == 3:
            return Path(content[offset : offset + n_bytes - 1].decode())
    raise AssertionError(f"{program} names no loader")


def test_the_loader_of_the_interpreter_is_bound():
    loader = loader_of(Path(os.path.realpath(sys.executable)))

    assert any(loader.is_relative_to(path) for path in bindings.host_paths(()))
    # The one of AArch64 lies outside of the folders of libraries.
    assert "/lib/ld-linux-aarch64.so.1" in bindings.SYSTEM_LIBRARIES


def test_bubblewrap_comes_from_pip_first():
    said = subprocess.run([find_bwrap(), "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("bubblewrap ")
    assert str(find_bwrap()).startswith(sys.prefix)
