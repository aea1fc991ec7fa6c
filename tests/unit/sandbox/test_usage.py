"""What a step uses is measured over all of its processes, and held against its limits."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import LimitError
from harness.sandbox.step import MIB, Limits
from harness.sandbox.usage import Sample, Watch, process_tree, take_sample
from tests.effort import processor_s


def test_a_sample_sums_over_the_tree():
    child = """
import time
memory = bytearray(b'x') * (30 * 2**20)
while time.process_time() < 0.2:
    pass
print(1, flush=True)
time.sleep(30)
"""
    code = f"""
import subprocess, sys, time
memory = bytearray(b'x') * (50 * 2**20)
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)
print(child.stdout.readline(), flush=True)
time.sleep(30)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        sample = take_sample(process.pid)
        tree = list(process_tree(process.pid))
        for pid in tree[::-1]:
            os.kill(pid, 9)

    assert tree[0] == process.pid
    assert sample.n_processes == len(tree) == 2
    assert 80 * MIB < sample.memory_bytes < 130 * MIB
    assert sample.resident_bytes >= sample.memory_bytes
    assert 50 * MIB < sample.largest_data_bytes < sample.memory_bytes
    # The kernel counts in ticks of 10 ms.
    assert sample.cpu_s > 0.1


def test_a_process_that_is_gone_counts_nothing():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()

    assert take_sample(process.pid) == Sample()


@contextlib.contextmanager
def _running(code):
    """Run Python that prints a line when it is ready; yield its number."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_process_whose_first_thread_has_ended_is_measured_by_another():
    code = """
import ctypes, os, threading, time
def hold():
    memory = bytearray(b'x') * (60 * 2**20)
    time.sleep(0.1)
    print(1, flush=True)
    time.sleep(60)
threading.Thread(target=hold).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""
    with _running(code) as pid:
        assert "VmRSS" not in Path(f"/proc/{pid}/status").read_text()
        assert 60 * MIB < take_sample(pid).memory_bytes < 120 * MIB


def test_page_tables_are_memory():
    code = """
import ctypes, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 4, ctypes.c_long]
start = libc.mmap(None, 8000 << 21, 1, 0x4022, -1 & 0xFFFFFFFF, 0)
libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(8000 << 21), 15)
for n in range(8000):
    ctypes.c_ubyte.from_address(start + (n << 21)).value
print(1, flush=True)
time.sleep(60)
"""
    with _running(code) as pid:
        sample = take_sample(pid)

    assert 8000 * 4096 < sample.memory_bytes < 2 * 8000 * 4096 + 20 * MIB


def test_what_forked_processes_share_counts_once_where_it_would_exceed_the_limit():
    code = """
import os, time
memory = bytearray(b'x') * (60 * 2**20)
for n in range(3):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(0.1)
print(1, flush=True)
time.sleep(60)
"""
    with _running(code) as pid:
        assert take_sample(pid).memory_bytes > 240 * MIB
        assert 60 * MIB < take_sample(pid, 200 * MIB).memory_bytes < 120 * MIB


def test_locked_ranges_of_files_are_counted(tmp_path):
    code = f"""
import fcntl, time
file = open({str(tmp_path / "file")!r}, "w")
for n in range(50):
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n)
print(1, flush=True)
time.sleep(60)
"""
    with _running(code) as pid:
        assert take_sample(pid).n_file_locks == 50


def _watch(**limits: object) -> Watch:
    return Watch("score", Limits(**limits), started_s=100.0)


@pytest.mark.parametrize(
    ("limits", "sample", "at_s", "n_log", "n_files", "message"),
    [
        ({"wall_s": 5.0}, Sample(), 105.1, 0, 0, "wall time: 5.1 s used, 5 s allowed"),
        ({"cpu_s": 2.0}, Sample(cpu_s=2.5), 101.0, 0, 0, "processor time: 2.5 s used, 2 s allowed"),
        (
            {"memory_bytes": 100 * MIB},
            Sample(memory_bytes=150 * MIB),
            101.0,
            0,
            0,
            "memory: 150 MiB used, 100 MiB allowed",
        ),
        ({}, Sample(n_file_locks=10_001), 101.0, 0, 0, "file locks: 10,001 used, 10,000 allowed"),
        ({"log_bytes": MIB}, Sample(), 101.0, 3 * MIB, 0, "output: 3 MiB used, 1 MiB allowed"),
        ({}, Sample(), 101.0, 0, 100_001, "temporary files: 100,001 used, 100,000 allowed"),
    ],
)
def test_each_limit_is_named_with_its_use(limits, sample, at_s, n_log, n_files, message):
    watch = _watch(**limits)
    watch.take(sample)

    with pytest.raises(LimitError) as caught:
        watch.check(sample, n_log, n_files, at_s)

    assert message in str(caught.value)
    assert "step score" in str(caught.value)


def test_at_the_limit_nothing_is_said():
    watch = _watch(wall_s=5.0, cpu_s=2.0, memory_bytes=MIB, log_bytes=MIB)
    sample = Sample(cpu_s=2.0, memory_bytes=MIB)
    watch.take(sample)

    watch.check(sample, MIB, 100_000, 105.0)


def test_usage_keeps_the_largest_of_all_samples():
    watch = _watch()
    watch.take(Sample(cpu_s=1.0, resident_bytes=50))
    watch.take(Sample(cpu_s=0.5, resident_bytes=20))

    usage = watch.usage(103.0)

    assert (usage.wall_s, usage.cpu_s, usage.peak_memory_bytes) == (3.0, 1.0, 50)


def test_sampling_is_cheap():
    # 0.1 ms of it.
    assert processor_s(lambda: take_sample(os.getpid()), n_times=20) < 0.01
