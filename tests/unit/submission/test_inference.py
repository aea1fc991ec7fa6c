"""Scores of a network and of an open-division entry: right, whole, and told when they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import InvalidSubmissionError, SubmissionError
from harness.submission import inference, network, open_scores
from harness.submission.events import SparseWriter, forget_read, open_events, save_events, sparse_of
from tests.rounding import assert_same_but_for_rounding

network.load_keras()

import keras  # noqa: E402


@pytest.fixture(autouse=True)
def _stay_put(monkeypatch, tmp_path):
    """Undo what importing a plugin does to this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    monkeypatch.setattr("sys.dont_write_bytecode", False)


def store(path, events):
    """Write events under a name without suffix, as a step sees them."""
    with path.open("wb") as file:
        np.save(file, events)


@pytest.fixture
def files(tmp_path, events):
    """Return the paths of a step: events there already, the others to be written."""
    paths = {name: tmp_path / name for name in ("graph", "weights", "events", "scores")}
    store(paths["events"], events)
    return paths


def weighted(*, dtype: str = "float32", change=lambda score: score) -> keras.Model:
    """Return a network whose score is the sum of i * value i."""
    inputs = keras.Input((57,))
    score = keras.layers.Dense(1, use_bias=False, dtype=dtype)
    model = keras.Model(inputs, change(score(inputs)))
    score.set_weights([np.arange(57, dtype=np.float32).reshape(57, 1)])
    return model


def export(model, files):
    network.export_network(model, files["graph"], files["weights"])


def test_scores_are_what_the_network_says(files, events):
    export(weighted(), files)
    report = inference.score_network({}, files, files)
    scores = np.fromfile(files["scores"], "<f8")
    expected = events.reshape(-1, 57).astype(np.float64) @ np.arange(57.0)
    assert_same_but_for_rounding(scores, expected, n_terms=57)
    assert report["n_events"] == len(scores) == 3_000
    assert report["arithmetic"] == "xla"


def test_a_network_that_xla_cannot_compile_for_this_processor_is_scored_as_a_graph(
    files, events, monkeypatch
):
    import tensorflow as tf

    function = tf.function

    def without_instructions(*arguments, jit_compile, **more):
        if jit_compile:
            raise tf.errors.InternalError(None, None, "Failed to materialize symbols")
        return function(*arguments, jit_compile=False, **more)

    monkeypatch.setattr(tf, "function", without_instructions)
    export(weighted(), files)

    assert inference.score_network({}, files, files)["arithmetic"] == "graph"
    expected = events.reshape(-1, 57).astype(np.float64) @ np.arange(57.0)
    assert_same_but_for_rounding(np.fromfile(files["scores"], "<f8"), expected, n_terms=57)


@pytest.mark.parametrize("n_events", [1, 9, 10, 11, 20])
def test_there_is_one_score_for_each_event_whatever_the_chunk(files, events, n_events):
    store(files["events"], events[:n_events])
    export(weighted(), files)
    inference.score_network({"jobs": [{"chunk": 10}]}, files, files)
    scores = np.fromfile(files["scores"], "<f8")
    expected = events[:n_events].reshape(-1, 57).astype(np.float64) @ np.arange(57.0)
    assert_same_but_for_rounding(scores, expected, n_terms=57)


def test_quantised_scores_are_the_same_bits_in_every_chunk_order_and_mode(
    files, events, submission
):
    from harness.submission.export import export_submission

    export_submission({"event_shape": [19, 3]}, {"submission": submission()}, files)
    order = np.random.default_rng(1).permutation(len(events))
    store((files["graph"].parent / "shuffled"), events[order])
    paths = {**files, "shuffled": files["graph"].parent / "shuffled"}
    outputs = {**files, "other": files["graph"].parent / "other"}
    jobs = [{}, {"events": "shuffled", "scores": "other", "chunk": 777}]
    inference.score_network({"jobs": jobs}, paths, outputs)
    scores = np.fromfile(files["scores"], "<f8")
    np.testing.assert_array_equal(np.fromfile(outputs["other"], "<f8"), scores[order])
    plain = network.rebuild(files["graph"], files["weights"])
    slow = plain.predict(events.reshape(-1, 57), verbose=0, batch_size=3_000)
    np.testing.assert_array_equal(slow.ravel().astype(np.float64), scores)


def test_events_that_the_input_words_cannot_hold_are_reported(files, events):
    from harness import heads

    inputs = keras.Input((57,))
    words = heads.input_words(inputs, ["ufixed<12,10>", "fixed<8,4>", "fixed<8,4>"])
    export(keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(words)), files)
    large = events.copy()
    large[:30, 2, 0] = 1024.0
    large[:10, 5, 0] = 5000.0
    store(files["events"], large)
    report = inference.score_network({}, files, files)
    overflow = report["input_overflow"]
    assert overflow == {"n_events": 3_000, "n_outside": 30, "inputs": [[6, 0.01], [15, 1 / 300]]}


def test_a_float_network_has_no_overflow_to_report(files):
    export(weighted(), files)
    assert inference.score_network({}, files, files)["input_overflow"] is None


def log_of_negative(score):
    return keras.ops.log(score - 1e9)


def reciprocal_of_zero(score):
    return 1.0 / (score * 0.0)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: weighted(change=log_of_negative), "score of 3,000 of 3,000 events is NaN"),
        (lambda: weighted(change=reciprocal_of_zero), r"events is \+inf"),
        (lambda: weighted(change=lambda s: s * 0.0), "all 3000 events have the score 0"),
        (
            lambda: weighted(change=lambda s: keras.ops.cast(s * 1e3, "float16")),
            "float16, which ends at 65,504",
        ),
    ],
)
def test_bad_scores_are_told_with_their_number_and_the_first(files, model, told):
    export(model(), files)
    with pytest.raises(InvalidSubmissionError, match=told):
        inference.score_network({}, files, files)


def test_the_first_bad_event_is_described(files, events):
    bad = events.copy()
    bad[:] = 1.0
    bad[17, 3, 1], bad[40] = -2000.0, 0.0
    store(files["events"], bad)
    export(weighted(change=lambda s: keras.ops.log(s + 10.0)), files)
    with pytest.raises(
        InvalidSubmissionError,
        match=r"score of 1 of 3,000 events is NaN: event 17; the first has 19 objects and the la",
    ):
        inference.score_network({"jobs": [{"chunk": 16}]}, files, files)


def test_one_event_alone_is_not_called_constant(files, events):
    store(files["events"], events[:1])
    export(weighted(), files)
    assert inference.score_network({}, files, files)["n_events"] == 1


def test_scores_that_may_be_constant_are_returned(files, events):
    store(files["events"], np.repeat(events[:1], 10, axis=0))
    export(weighted(), files)
    with pytest.raises(InvalidSubmissionError, match="all 10 events have the score"):
        inference.score_network({}, files, files)
    jobs = [{"may_be_constant": True}]
    assert inference.score_network({"jobs": jobs}, files, files)["n_events"] == 10


def test_events_of_another_layout_are_refused(files, events):
    store(files["events"], events[:, :18])
    export(weighted(), files)
    with pytest.raises(InvalidSubmissionError, match=r"the shape is \(57,\)"):
        inference.score_network({}, files, files)


def test_images_without_their_zeros_have_the_scores_of_the_dense_ones(files):
    generator = np.random.default_rng(4)
    images = generator.random((500, 6, 4, 2)) * (generator.random((500, 6, 4, 2)) < 0.1)
    images = images.astype(np.float32)
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 4, 2))
    small = keras.layers.Conv2D(2, 3, strides=2, padding="same")(inputs)
    small = keras.layers.PReLU(shared_axes=[1, 2])(small)
    again = keras.layers.Conv2DTranspose(2, 2, strides=2)(small)
    lost = keras.ops.mean(keras.ops.square(inputs - again), axis=(1, 2, 3))
    export(keras.Model(inputs, lost), files)
    found = []
    for events in (images, sparse_of(images)):
        files["events"].unlink()
        save_events(files["events"].with_suffix(".npy"), events)
        files["events"].with_suffix(".npy").rename(files["events"])
        report = inference.score_network({"jobs": [{"chunk": 64}]}, files, files)
        assert report["n_events"] == 500
        found.append(np.fromfile(files["scores"], "<f8"))
    assert np.array_equal(*found)
    assert np.ptp(found[0]) > 0


def test_an_open_entry_is_given_dense_images(files, submission):
    images = sparse_of(np.eye(8, dtype=np.float32).reshape(8, 4, 2, 1))
    with files["events"].open("wb") as stream:
        writer = SparseWriter(stream, images.event_shape)
        writer.add(images)
        writer.finish()
    folder = submission("def score(events):\n    return events[:, 1, 1, 0] + events[:, 3, 0, 0]\n")
    assert run_open(files, folder, jobs=[{"chunk": 3}])["n_events"] == 8
    assert np.fromfile(files["scores"], "<f8").tolist() == [0, 0, 0, 1, 0, 0, 1, 0]


def test_events_are_mapped_never_unpickled(tmp_path):
    np.save(tmp_path / "e.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        open_events(tmp_path / "e.npy")


def run_open(files, folder, **request):
    return open_scores.score_open(request, {**files, "submission": folder}, files)


def test_an_open_entry_is_scored_in_chunks(files, events, submission):
    folder = submission("def score(events):\n    return events[..., 0].sum(axis=1)\n")
    report = run_open(files, folder, jobs=[{"chunk": 999}])
    scores = np.fromfile(files["scores"], "<f8")
    assert_same_but_for_rounding(scores, events[..., 0].sum(axis=1), n_terms=19)
    assert report["n_events"] == 3_000
    assert not report["is_input_modified"]


def test_an_open_entry_that_writes_into_its_input_is_noted(files, events, submission):
    folder = submission(
        "def score(events):\n    s = events[:, 0, 0].copy()\n    events[:] = 0\n    return s\n"
    )
    assert run_open(files, folder)["is_input_modified"]
    np.testing.assert_array_equal(np.load(files["events"], mmap_mode="r"), events)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return events", r"returned shape \(3000, 19, 3\) for 3000 events"),
        ("return events[1:, 0, 0]", r"returned shape \(2999,\)"),
        ("return None", r"returned shape \(\)"),
        ("return events[:, 0, 0] * 1j", "numbers of type complex64"),
        ("return [str(v) for v in events[:, 0, 0]]", "numbers of type <U"),
        ("return events[:, 0, 0] * float('nan')", "3,000 of 3,000 events is NaN"),
        ("return events[:, 0, 0] * 0 + 4", "have the score 4"),
    ],
)
def test_an_open_entry_against_the_contract_is_invalid(files, submission, body, told):
    folder = submission(f"def score(events):\n    {body}\n")
    with pytest.raises(InvalidSubmissionError, match=told):
        run_open(files, folder)


def test_an_open_entry_that_fails_is_told_with_its_line(files, submission):
    folder = submission("def score(events):\n    return events[10**9]\n")
    with pytest.raises(SubmissionError, match=r"model.py, line 2: IndexError in score\(\)"):
        run_open(files, folder)


def _resident_bytes(path: Path) -> int:
    """Return how much of a mapped file is resident, page by page: the sums in `status` are rough.

    With many cores the kernel leaves up to megabytes out of these for a while.
    """
    n_kib, is_its = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if " " in name:
            is_its = line.endswith(f" {path}")
        elif is_its and name == "Rss":
            n_kib += int(value.split()[0])
    return 1024 * n_kib


def test_events_that_were_read_take_no_memory_any_more(tmp_path):
    path = tmp_path / "events.npy"
    np.save(path, np.ones((200_000, 19, 3), np.float32))
    events = open_events(path)
    assert events.sum() == events.size
    assert _resident_bytes(path) > 40e6

    forget_read(events)

    assert _resident_bytes(path) == 0
    assert events[-1].sum() == 57
    forget_read(np.ones((2, 19, 3), np.float32))


def test_a_shard_waits_for_no_import_that_it_does_not_need():
    """An entry of the open division pays for these in each of its many processes."""
    code = (
        "import sys, harness.submission.open_scores; "
        "print(*({'pydantic', 'yaml', 'keras', 'scipy', 'harness.challenge'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
