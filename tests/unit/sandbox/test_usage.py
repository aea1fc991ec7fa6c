"""What a step uses is measured over all of its processes, and held against its limits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.errors import LimitError
from harness.sandbox.step import MIB, Limits
from harness.sandbox.usage import Sample, Watch, process_tree, shared_anonymous_bytes, take_sample
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


SMAPS = """\
7f00-7f01 rw-s 00000000 00:01 1024     /dev/zero (deleted)
Size:               4096 kB
Rss:                4096 kB
Pss:                2048 kB
Shared_Dirty:       4096 kB
SwapPss:             100 kB
VmFlags: rd wr sh mr mw me ms sd
7f02-7f03 r--s 00000000 00:1f 2        /in/events
Size:             900000 kB
Pss:              900000 kB
7f04-7f05 rw-p 00000000 00:00 0        [heap]
Pss:                 300 kB
7f06-7f07 rw-s 00000000 00:1f 3        /tmp/a file: of its own
Pss:                 700 kB
"""


def test_shared_memory_is_what_is_in_no_file_divided_among_those_that_share_it():
    assert shared_anonymous_bytes(SMAPS) == (2048 + 100) * 1024


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
