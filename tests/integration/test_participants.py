"""What participants write, and what `harness validate` and `harness score` say of it."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from harness.submission.packages import PROMISED, installed
from tests.integration.conftest import MODEL, OPEN_MODEL, CommandLine, write_submission

SUBMISSION_FAILED, INVALID = 1, 3


@pytest.fixture
def folder(harness: CommandLine, tmp_path: Path) -> Path:
    """Return a submission of the trigger division without faults."""
    return write_submission(tmp_path / "team_p")


def one_line(text: str) -> str:
    """Return a message without its line breaks."""
    return " ".join(text.split())


# --- Words ----------------------------------------------------------------------------------------


def test_a_precision_may_be_written_as_vitis_writes_it(harness, folder):
    words = {"input": "ap_fixed<16,13>", "weights": "ap_fixed<8, 2, AP_RND, AP_SAT>"}
    write_submission(folder, precision={**words, "activations": "ap_ufixed<16,8>"})
    done = harness.here("validate", folder)
    assert done.returncode == 0, done.stderr


def test_a_mode_that_cannot_be_built_is_named_once(harness, folder):
    words = dict.fromkeys(("weights", "activations"), "ap_fixed<16,6,AP_RND_ZERO>")
    write_submission(folder, precision={"input": "ap_fixed<16,6,AP_RND>", **words})
    done = harness.here("validate", folder)
    said = one_line(done.stderr)
    assert done.returncode == INVALID
    assert (
        said.count(
            "AP_RND_ZERO is not built by this firmware: write AP_TRN or AP_RND or AP_RND_CONV"
        )
        == 2
    )
    assert "field precision.input: 'ap_fixed<16,6,AP_RND>': an input is cut" in said
    assert "Value error" not in said


def test_the_modes_of_words_decide_how_a_float_network_is_rounded():
    from harness.firmware.translate.quantise import to_fixed_width
    from harness.submission.network import load_keras

    load_keras()
    import keras
    import numpy as np

    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.set_weights([np.float32([[1.0]])])
    scores = {}
    for modes in ("", ",AP_TRN", ",AP_RND,AP_WRAP"):
        words = {"input": "fixed<16,8>", "weights": "fixed<8,4>"}
        fixed = to_fixed_width(model, {**words, "activations": f"fixed<4,4{modes}>"})
        scores[modes] = np.asarray(fixed(np.float32([[1.75], [9.0]]))).ravel().tolist()
    # A word of four bits before the point ends at 7; 9 wraps around to -7.
    assert scores == {"": [2, 7], ",AP_TRN": [1, 7], ",AP_RND,AP_WRAP": [2, -7]}


# --- Files ----------------------------------------------------------------------------------------


def test_what_a_system_leaves_in_the_folder_is_ignored_and_named_once(harness, folder):
    before = harness.here("validate", folder)
    (folder / "._model.py").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xa3")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "model-checkpoint.py").write_text("def network(:")
    done = harness.here("validate", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == before.stdout
    assert done.stderr == (
        "ignored, because a system, an editor or a tool left it: ._model.py, .ipynb_checkpoints\n"
        + before.stderr
    )


def test_nothing_hides_in_a_file_that_is_ignored(harness, folder):
    model = "import os\nraise RuntimeError(sorted(os.listdir('.')))\n" + OPEN_MODEL
    write_submission(folder, division="open", model=model)
    for name in ("._weights.npz", "Thumbs.db", ".model.py.swp", "model.py~"):
        (folder / name).write_bytes(b"x")
    done = harness.score(folder, "--quick")
    assert done.returncode == SUBMISSION_FAILED
    assert "['model.py', 'submission.yaml']" in done.stderr
    assert done.stderr.count("ignored, because") == 1


def test_a_file_is_missed_only_where_it_is_read(harness, folder):
    mentioned = '"""Better than old.weights.h5."""\n# As other.npz.\nTRAINED = "first.keras"\n'
    training = "def train(model):\n    model.load_weights('last.weights.h5')\n"
    write_submission(folder, model=mentioned + MODEL + training)
    done = harness.here("validate", folder)
    assert done.returncode == 0, done.stderr
    reading = "\nimport numpy as np\nMEANS = np.load('means.npz') or np.load('._spread.npz')\n"
    write_submission(folder, model=mentioned + MODEL + reading)
    done = harness.here("validate", folder)
    said = one_line(done.stderr)
    assert done.returncode == INVALID
    assert said.count("error:") == 2
    assert "reads 'means.npz', which is not in the submission" in said
    assert "run train.py, or add the file" in said
    assert "give it another name: files of this name are ignored" in said


# --- Scores ---------------------------------------------------------------------------------------

NOT_FINITE = """
import numpy as np

def score(events):
    with np.errstate(all="ignore"):
        met = events[:, 0, 0]
        scores = np.log(np.where(met > 40, 0.0, met))
        scores[met < 5] = -1 / np.float32(0)
        scores[3:9] = [np.inf, np.nan, np.inf, np.inf, np.inf, np.inf]
    return scores
"""


def test_each_kind_of_score_that_is_not_finite_is_named_with_its_cause(harness, folder):
    write_submission(folder, division="open", model=NOT_FINITE)
    done = harness.score(folder, "--quick")
    said = one_line(done.stderr)
    assert done.returncode == INVALID
    assert "events is NaN: event 4; the first has" in said
    assert "events is +inf: events 3, 5, 6, 7, 8; the first has" in said
    assert "events is -inf: events" in said
    for cause in ("usually 0/0", "usually a division by 0", "usually the logarithm of 0"):
        assert cause in said


# --- What it prints -------------------------------------------------------------------------------

PRINTING = """
import sys

print("at import")

def score(events):
    print("in score", len(events), "\\x1b[31mred\\u202e")
    print("::error::on stderr", file=sys.stderr)
    for number in range(1_000):
        print("line", number)
    return events[:, :, 0].sum(axis=1)
"""


@pytest.mark.parametrize("command", [("score", "--quick"), ("validate", "--deep")])
def test_what_a_plugin_prints_is_shown_head_and_tail_as_text_of_others(harness, folder, command):
    write_submission(folder, division="open", model=PRINTING)
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    done = harness(command[0], folder, command[1], *toy)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stderr.splitlines()]
    start = lines.index("model.py printed:")
    assert lines[start + 1] == "| at import"
    assert re.fullmatch(r"\| in score \d+ red", lines[start + 2])
    assert lines[start + 3] == "| : :error: :on stderr"
    assert lines[start + 4] == "| line 0"
    assert "lines left out ...]" in done.stderr
    assert "| line 999" in lines
    assert "| line 500" not in lines
    assert lines.count("model.py printed:") == 1
    assert "at import" not in done.stdout


@pytest.mark.parametrize(
    ("ending", "code"),
    [("raise ValueError('x')", SUBMISSION_FAILED), ("os.kill(os.getpid(), 9)", 1)],
)
def test_what_a_plugin_prints_is_shown_when_it_fails(harness, folder, ending, code):
    model = f"import os\nprint('before')\ndef score(events):\n    print('last')\n    {ending}\n"
    write_submission(folder, division="open", model=model)
    done = harness("validate", folder, "--deep")
    assert done.returncode == code
    assert re.search(r"model.py printed:\n\| before\n\| last\nerror: ", done.stderr)


# --- Processes and packages -----------------------------------------------------------------------

PARALLEL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from joblib import Parallel, delayed

def total(momenta):
    return momenta.sum(axis=1)

def score(events):
    halves = np.array_split(events[:, :, 0], 2)
    with multiprocessing.get_context("fork").Pool(2) as pool, ProcessPoolExecutor(2) as executor:
        ways = [
            Parallel(n_jobs=2)(delayed(total)(half) for half in halves),
            Parallel(n_jobs=2, prefer="threads")(delayed(total)(half) for half in halves),
            pool.map(total, halves),
            list(executor.map(total, halves)),
        ]
    first, *others = (np.concatenate(way) for way in ways)
    assert all(np.array_equal(first, other) for other in others)
    return first
"""


def test_libraries_may_share_the_work_among_processes(harness, folder):
    write_submission(folder, division="open", model=PARALLEL)
    done = harness("validate", folder, "--deep")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import multiprocessing; multiprocessing.Pipe()", "a sandbox has no sockets"),
        ("import multiprocessing; multiprocessing.Manager()", 'joblib.Parallel(prefer="threads")'),
        ("import asyncio; asyncio.run(None)", "a sandbox has no sockets"),
        ("open('/proc/meminfo')", "a sandbox has no /proc and no /sys"),
        ("import psutil", "it reads /proc, which a sandbox does not have"),
        (
            "import concurrent.futures as f; f.ProcessPoolExecutor().submit(os._exit, 1).result()",
            "a worker process ended before its work",
        ),
        ("import xgboost", "onnxmltools.convert_xgboost"),
    ],
)
def test_what_a_sandbox_does_not_have_is_named_with_another_way(harness, folder, line, told):
    write_submission(folder, division="open", model=f"import os\ndef score(events):\n    {line}\n")
    done = harness("validate", folder, "--deep")
    assert done.returncode == SUBMISSION_FAILED
    assert told in one_line(done.stderr)
    assert "see model.py:3 in score" in done.stderr


def test_a_model_of_another_framework_is_sent_to_onnx_and_the_packages_here(harness, folder):
    torch = "import torch\nimport no_such_package\n"
    write_submission(folder, division="open", model=torch + OPEN_MODEL)
    done = harness.here("validate", folder)
    assert done.returncode == INVALID
    assert "imports torch, which is not installed here" in done.stderr
    assert "save the model as ONNX where you train it, by torch.onnx.export" in done.stderr
    versions = dict(re.findall(r"(\S+) (\d\S*?)(?=,|$)", done.stderr.partition("library, ")[2]))
    assert versions == {name: metadata.version(name) for name in PROMISED}
    write_submission(folder, model=torch + MODEL)
    assert "build the network without it" in harness.here("validate", folder).stderr


ONNX = """
import onnxruntime

def score(events):
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"x": events[:, :, 0]})[0]
"""


def test_a_model_in_onnx_scores_in_the_sandbox(harness, folder):
    from onnx import TensorProto, helper, save

    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 19]), ("y", ["n"]))
    ]
    node = helper.make_node("ReduceSumSquare", ["x"], ["y"], axes=[1], keepdims=0)
    graph = helper.make_graph([node], "sum", values[:1], values[1:])
    write_submission(folder, division="open", model=ONNX)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "model.onnx",
    )
    done = harness("validate", folder, "--deep")
    assert done.returncode == 0, done.stderr


def test_the_packages_of_the_documentation_are_those_of_the_lock_and_of_the_environment():
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "submission.md").read_text(encoding="utf-8")
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (\d.*) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == list(PROMISED)
    for name, versions in rows:
        locked = re.findall(rf"^{name.lower()}==(\S+)", lock, re.MULTILINE)
        assert versions.split(" or ") == locked, "write what the lock file has into the table"
    assert list(installed()) == list(PROMISED)


# --- Operations of a network ----------------------------------------------------------------------

MASKED = """
import math
import keras
from keras import layers, ops

print("network() is made of comparisons and angles")

def network():
    event = keras.Input((57,), name="event")
    objects = layers.Reshape((19, 3))(event)
    pt, eta, phi = (objects[:, :, column] for column in range(3))
    is_there = ops.cast(ops.logical_and(pt != 0.0, ops.abs(eta) < 4.0), "float32")
    turned = ops.mod(phi - phi[:, :1] + math.pi, 2 * math.pi) - math.pi
    along_met = ops.sum(is_there * pt * ops.cos(turned), axis=-1, keepdims=True)
    leading, _ = ops.top_k(pt, k=3)
    n_objects = ops.cast(ops.count_nonzero(pt, axis=-1), "float32")[:, None]
    score = ops.sum(leading, axis=-1, keepdims=True) + n_objects + ops.arctan2(along_met, pt[:, :1])
    return keras.Model(event, score)
"""


def test_masks_angles_and_ranks_are_scored_and_their_cost_is_counted(harness, folder):
    write_submission(folder, model=MASKED)
    done = harness.score(folder, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    cost = json.loads(done.stdout)["cost"]
    # A remainder counts two for each of 19 angles; the mask, pT and the cosine are multiplied.
    assert cost["macs"] == 2 * 19 + 2 * 19
    assert "| network() is made of comparisons and angles" in done.stderr


def test_what_has_no_firmware_is_named_without_a_scoring(harness, folder):
    write_submission(folder, model=MASKED)
    done = harness("validate", folder, "--deep")
    assert done.returncode == INVALID
    assert "score: 256 made-up events" in done.stderr
    for layer in ("'mod' (Mod)", "'top_k' (TopK)", "'arctan2' (Arctan2)"):
        assert f"error: layer {layer}: cannot be translated into firmware" in done.stderr
    assert "can be scored, but has no firmware: the entry would not be ranked" in done.stderr


def test_what_sorts_the_events_of_a_batch_is_refused_by_the_name_of_its_layer(harness, folder):
    mixing = MODEL.replace("layer(inputs))", "keras.ops.sort(layer(inputs), axis=0))")
    write_submission(folder, model=mixing)
    done = harness("validate", folder, "--deep")
    assert done.returncode == INVALID
    assert "layer 'sort': Sort with axis=0 mixes events" in done.stderr
