"""The one permission to see the machine: what the vendor's step has by it, and nobody else."""

from __future__ import annotations

import platform
import socket
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from harness.sandbox import run as run_module
from harness.sandbox.step import MAY_SEE_HOST, Limits, Step

TRIAL = "harness.sandbox.trial:execute"
LOOK = """
import os, socket
found = {"name": socket.gethostname(), "net": [], "sys": []}
if os.path.isdir("/sys"):
    found["net"] = {name: open(f"/sys/class/net/{name}/address").read()
                    for name in os.listdir("/sys/class/net") if name != "bonding_masters"}
    found["sys"] = sorted(os.listdir("/sys")) + sorted(os.listdir("/sys/class"))
"""
CONNECT = """
import socket
with socket.create_connection(('127.0.0.1', request['port']), timeout=5) as peer:
    found = peer.recv(2).decode()
"""


@pytest.fixture
def permitted(monkeypatch):
    """Let the step that tries things have what only the vendor's may have."""
    monkeypatch.setattr(run_module, "MAY_SEE_HOST", (TRIAL,))


@pytest.fixture
def server():
    """A licence server, which says ok to whoever connects; returns its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_by_the_permission_a_step_has_the_machine_s_name_and_interfaces(bwrap, execute, permitted):
    found = execute(bwrap, LOOK, sees_host=True).report["found"]

    assert found["name"] == platform.node()
    assert found["net"] == {
        path.name: (path / "address").read_text()
        for path in Path("/sys/class/net").iterdir()
        if (path / "address").exists()
    }
    assert set(found["sys"]) <= {"class", "devices", "net"}


def test_by_the_permission_a_step_reaches_a_licence_server(bwrap, execute, permitted, server):
    import threading

    def answer():
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"ok")

    threading.Thread(target=answer, daemon=True).start()
    port = server.getsockname()[1]

    assert execute(bwrap, CONNECT, request={"port": port}, sees_host=True).report["found"] == "ok"


@pytest.mark.parametrize(
    "code",
    [
        "import socket; found = bool(socket.socket(socket.AF_UNIX))",
        "import socket; found = bool(socket.socketpair())",
        "import socket; found = bool(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))",
        "import socket; found = bool(socket.socket(40, socket.SOCK_STREAM))",
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); found = True",
        "found = open('/etc/passwd').read(1)",
        "open('/etc/hosts', 'w')",
    ],
    ids=["unix", "pair", "packet", "vsock", "listen", "users", "hosts"],
)
def test_the_permission_gives_nothing_else(bwrap, execute, permitted, code):
    with pytest.raises(SubmissionError):
        execute(bwrap, code, sees_host=True)


def test_without_it_a_step_has_neither_name_nor_network(bwrap, execute, permitted, server):
    found = execute(bwrap, LOOK).report["found"]

    assert found == {"name": "sandbox", "net": [], "sys": []}


def test_without_it_no_step_connects(bwrap, execute, permitted, server):
    with pytest.raises(SubmissionError, match="Operation not permitted"):
        execute(bwrap, CONNECT, request={"port": server.getsockname()[1]})


@pytest.mark.parametrize(
    "entry",
    [
        "harness.submission.plugin:export_plugin",
        "harness.submission.inference:score_events",
        "harness.firmware.witnesses.csim:simulate_project",
        "harness.firmware.translate.translation:trace_network",
        TRIAL,
    ],
)
def test_no_other_step_gets_it(sandbox, tmp_path, entry):
    step = Step(name="greedy", entry=entry, sees_host=True, limits=Limits(wall_s=5.0))

    with pytest.raises(UsageError, match="greedy asks for the machine's name and network"):
        sandbox.run(step, tmp_path)


def test_the_one_that_may_runs_no_code_of_a_participant():
    assert MAY_SEE_HOST == ("harness.firmware.vendor.tool:run_vendor_tool",)
