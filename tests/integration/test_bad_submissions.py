"""Bad submissions through the command line: what is wrong is told, with the right exit code.

The static faults end before anything runs, and are looked for in this process. The others need a
sandbox each, some seconds; a few of every kind run always, all of them with the slow tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import MODEL, CommandLine, write_submission

SUBMISSION_FAILED, USAGE, INVALID, LIMIT = 1, 2, 3, 4
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


def assert_told(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """Check the exit code and the message, and that there is no traceback and no card."""
    text = " ".join(done.stderr.split())
    assert done.returncode == code, done.stderr
    for part in parts:
        assert part in text
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def refuse(harness: CommandLine, folder: Path) -> subprocess.CompletedProcess[str]:
    """Score a submission in this process: its fault is found before any step."""
    toy = ("--challenge", "toy", "--manifest", harness.manifest, "--no-firmware")
    return harness.here("score", folder, *toy)


@pytest.fixture
def folder(harness: CommandLine, request: pytest.FixtureRequest) -> Path:
    """Return a submission without faults in a folder of its own."""
    number = zlib.crc32(request.node.nodeid.encode())
    return write_submission(harness.folder / "bad submissions ü" / f"team_{number}")


@pytest.mark.parametrize("command", ["score", "validate"])
def test_all_static_faults_are_told_at_once_and_nothing_is_run(harness, folder, command):
    (folder / "submission.yaml").write_text("team: other\ntitle: x\nsurplus: 1\n")
    (folder / "model.py").write_text("import nowhere_to_be_found\nload('gone.weights.h5')\n")
    (folder / "train.py").write_text("def (:\n")
    (folder / "cut.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (folder / "link").symlink_to("/etc/passwd")
    done = harness.score(folder) if command == "score" else harness("validate", folder)
    assert_told(
        done,
        INVALID,
        "field authors: is missing",
        "field surplus: is no field",
        "the team is 'other'",
        "model.py: defines no network()",
        "imports nowhere_to_be_found",
        "reads 'gone.weights.h5'",
        "train.py, line 1: syntax error",
        "cut.weights.h5: is truncated",
        "link: is a symbolic link",
    )


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "no such file"),
        (b"title: [", "is not the YAML that is read here"),
        (BOMB.encode(), "anchors and aliases"),
        (b"#" * 100_000, "larger than 65,536 bytes"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"", "is empty"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_told(harness, folder, content, part):
    (folder / "submission.yaml").unlink()
    if content is not None:
        (folder / "submission.yaml").write_bytes(content)
    assert_told(refuse(harness, folder), INVALID, "submission.yaml", part)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("def network(:\n", ("model.py, line 1: syntax error",)),
        ("x = 1\n", ("defines no network()",)),
        ("async def network(): ...\n", ("is asynchronous",)),
    ],
)
def test_a_model_that_cannot_be_right_is_told(harness, folder, source, parts):
    (folder / "model.py").write_text(source)
    assert_told(refuse(harness, folder), INVALID, *parts)


def test_the_messages_come_through_without_utf8(harness, folder):
    (folder / "submission.yaml").unlink()
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    assert_told(harness("validate", folder, env=env), INVALID, "no such file")


def network(body: str) -> str:
    """Return a `model.py` whose ``network()`` has this body."""
    head = """
    import keras
    class Custom(keras.layers.Layer):
        def call(self, x):
            return x[:, :1]
    def network():
        x = keras.Input((57,))
        score = keras.layers.Dense(1, kernel_initializer="ones")
    """
    return textwrap.dedent(head) + textwrap.indent(textwrap.dedent(body), "    ")


RUN_FAULTS = {
    "import fails": ("import os\nos.nothing\n" + MODEL, SUBMISSION_FAILED, "AttributeError"),
    "sys.exit": ("import sys\nsys.exit(0)\n" + MODEL, SUBMISSION_FAILED, "sys.exit(0)"),
    "other type": (network("return [1, 2]"), INVALID, "returned builtins.list"),
    "input shape": (
        network("y = keras.Input((56,))\nreturn keras.Model(y, score(y))"),
        INVALID,
        "the shape is (56,)",
    ),
    "two outputs": (network("return keras.Model(x, [score(x), x])"), INVALID, "2 outputs"),
    "(n, 2)": (
        network("return keras.Model(x, keras.layers.Dense(2)(x))"),
        INVALID,
        "the shape is (n, 2)",
    ),
    "complex": (
        network("return keras.Model(x, keras.ops.cast(score(x), 'complex64'))"),
        INVALID,
        "the type is complex64",
    ),
    "custom layer": (
        network("return keras.Model(x, Custom()(x))"),
        INVALID,
        "Custom is not allowed",
    ),
    "custom layer missing": (
        network("return keras.saving.load_model('net' + '.keras')"),
        SUBMISSION_FAILED,
        "in network()",
    ),
    "random": (
        network("return keras.Model(x, keras.layers.Dense(1)(x))"),
        INVALID,
        "another network at its second call",
    ),
    "weights missing": (
        network("m = keras.Model(x, score(x))\nm.load_weights('a.weights' + '.h5')\nreturn m"),
        SUBMISSION_FAILED,
        "in network()",
    ),
    "NaN": (
        network("return keras.Model(x, keras.ops.log(score(x) - 1e9))"),
        INVALID,
        "events is NaN",
    ),
    "infinite": (
        network("return keras.Model(x, 1.0 / (score(x) * 0.0))"),
        INVALID,
        "events is +inf",
    ),
    "constant": (network("return keras.Model(x, score(x) * 0.0)"), INVALID, "have the score 0"),
    "float16": (
        network("return keras.Model(x, keras.ops.cast(score(x) * 1e4, 'float16'))"),
        INVALID,
        "float16, which ends at 65,504",
    ),
    "mean over the batch": (
        network("y = score(x)\nreturn keras.Model(x, y - keras.ops.mean(y, axis=0))"),
        INVALID,
        "layer 'mean': Mean with axis=0 mixes events: axis 0 numbers them",
    ),
    "float64": (
        network("return keras.Model(x, keras.ops.cast(score(x), 'float64') + 1e8)"),
        INVALID,
        "layer 'cast': Cast gives float64 expected: float32 or narrower",
    ),
    "memory": ("x = bytearray(16 * 2**30)\n" + MODEL, SUBMISSION_FAILED, "MemoryError"),
}
QUICK_FAULTS = ("import fails", "custom layer", "mean over the batch", "NaN")


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK_FAULTS else pytest.param(name, marks=pytest.mark.slow)
        for name in RUN_FAULTS
    ],
)
def test_what_fails_in_the_sandbox_is_told(harness, folder, name):
    source, code, part = RUN_FAULTS[name]
    (folder / "model.py").write_text(source)
    assert_told(harness.score(folder), code, part)
    assert not (harness.folder / "results" / "toy" / folder.name).exists()


@pytest.mark.slow
def test_a_custom_layer_in_a_file_of_keras_is_told(harness, folder):
    import keras

    inputs = keras.Input((57,))

    @keras.saving.register_keras_serializable("mine")
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x[:, :1]

    keras.Model(inputs, Mine()(inputs)).save(folder / "net.keras")
    (folder / "model.py").write_text(network("return keras.saving.load_model('net.keras')"))
    assert_told(harness.score(folder), SUBMISSION_FAILED, "Mine")


@pytest.mark.slow
@pytest.mark.parametrize(("n_bytes", "code"), [(10_000_000, 0), (100_000_000, LIMIT)])
def test_chatter_does_no_harm_and_has_a_limit(harness, folder, n_bytes, code):
    (folder / "model.py").write_text(f"print('x' * {n_bytes})\n" + MODEL)
    done = harness.score(folder, "--quick")
    assert done.returncode == code, done.stderr
    assert len(done.stderr) < 100_000
    assert "Traceback" not in done.stderr


def run_with_short_limits(harness: CommandLine, folder: Path) -> subprocess.CompletedProcess[str]:
    """Score with limits of 15 seconds and 64 processes."""
    code = (
        "import dataclasses, harness.scoring.scorer as p\n"
        "p._EXPORT_LIMITS = dataclasses.replace(p._EXPORT_LIMITS, wall_s=15.0, n_processes=64)\n"
        "from harness.cli import main; main()"
    )
    toy = ("--challenge", "toy", "--manifest", str(harness.manifest), "--no-firmware")
    return subprocess.run(
        [sys.executable, "-c", code, "score", str(folder), *toy],
        cwd=harness.folder,
        env={**os.environ, "HARNESS_CACHE": str(harness.folder / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "codes"),
    [
        ("import time\nwhile True: time.sleep(1)\n", {LIMIT}),
        ("while True: pass\n", {LIMIT}),
        ("import os\nwhile True: os.fork()\n", {LIMIT, SUBMISSION_FAILED}),
    ],
)
def test_what_never_ends_is_ended(harness, folder, head, codes):
    (folder / "model.py").write_text(head + MODEL)
    done = run_with_short_limits(harness, folder)
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


OPEN_FAULTS = {
    "length": ("return events[1:, 0, 0]", INVALID, "returned shape"),
    "raises": ("return events[10**9]", SUBMISSION_FAILED, "IndexError in score()"),
}


@pytest.mark.parametrize("name", OPEN_FAULTS)
def test_an_open_entry_that_returns_no_scores_is_told(harness, folder, name):
    body, code, part = OPEN_FAULTS[name]
    write_submission(folder, model=f"def score(events):\n    {body}\n", division="open")
    assert_told(harness.score(folder), code, part)


@pytest.mark.slow
def test_weights_that_are_cut_in_their_data_are_told(harness, folder):
    """The superblock is whole and says another size: found before anything runs."""
    import h5py

    path = folder / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros(10_000)
    path.write_bytes(path.read_bytes()[:-40_000])
    assert_told(harness.score(folder), INVALID, "is truncated")
