"""Splits that the publisher made: by file, or by a dataset of each file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from harness.card.records import ScoreCard
from harness.data import training_events, validation_events
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.errors import UsageError
from harness.files import read_json
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.integration.conftest import OPEN_MODEL, CommandLine, write_submission

N_EVENTS = {"learn": 900, "tune": 300, "background": 2000, "heavy-learn": 200, "heavy": 250}
PARTS = {"learn": "train", "tune": "validation", "background": "test"}


class Site(CommandLine):
    """A command line with one challenge whose split is published."""

    def state(self, *, signals: dict[str, str] | None = None, **changes: object) -> None:
        """Write the manifest: background by `PARTS`, signals by `signals`, other fields changed."""
        parts = {**PARTS, **(signals or {"heavy": "test"})}
        stated = make_challenge(
            [
                toy_file(
                    f"{name}.h5", process=name, role="background" if name in PARTS else "signal"
                )
                for name in parts
            ],
            name="told",
        ).model_dump(mode="json")
        for file in stated["files"]:
            file["part"] = parts[file["process"]]
        stated["split"] = {"kind": "published", "key": "told-1"}
        stated |= changes
        manifest = {"schema": 1, "challenges": [stated]}
        self.manifest.write_text(yaml.safe_dump(manifest), encoding="utf-8")

    def fetch(self):
        """Write the files, and fetch them."""
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        for seed, (name, n_events) in enumerate(N_EVENTS.items()):
            scale = np.float32([4, 1, 1]) if "heavy" in name else np.float32(1)
            path = write_hdf5(files / f"{name}.h5", make_events(n_events, seed=seed) * scale)
            with h5py.File(path, "r+") as file:
                file["told"] = np.arange(n_events) % 3
        here = ("--from", files, "--trust-first-use")
        return self.here("fetch", "told", "--manifest", self.manifest, *here)

    def parts(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        """Return what Python gives of this challenge."""
        monkeypatch.setenv("HARNESS_CACHE", str(self.folder / "cache"))
        return {"challenge": "told", "manifest": self.manifest}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder of its own."""
    return Site(tmp_path)


def test_files_of_each_part_are_trained_on_and_scored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.state()
    assert site.fetch().returncode == 0
    told = site.parts(monkeypatch)
    assert np.array_equal(np.asarray(training_events(**told)), make_events(900, seed=0))
    assert len(validation_events(**told)) == 300
    with pytest.raises(UsageError, match="unsupervised"):
        training_events(**told, signal="heavy")
    folder = write_submission(site.folder / "sum", model=OPEN_MODEL, division="open")
    rules = ("--challenge", "told", "--manifest", site.manifest)
    done = site("score", folder, *rules)
    assert done.returncode == 0, done.stderr
    (path,) = (site.folder / "results" / "told" / "sum").glob("*.json")
    card = read_json(path, ScoreCard)
    scored = {file.process: file.n_scored for file in card.challenge.files}
    assert scored == {"learn": 0, "tune": 0, "background": 2000, "heavy": 250}
    assert card.float_physics.n_background == 2000
    assert site.here("data", "check", "told", *rules[2:]).returncode == 0


def test_a_dataset_says_the_part_of_each_event(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.state()
    document = yaml.safe_load(site.manifest.read_text("utf-8"))
    (stated,) = document["challenges"]
    stated["split"]["index"] = "told"
    stated["files"] = [one for one in stated["files"] if one["process"] in {"background", "heavy"}]
    for file in stated["files"]:
        del file["part"]
    site.manifest.write_text(yaml.safe_dump(document), "utf-8")
    assert site.fetch().returncode == 0
    told = site.parts(monkeypatch)
    events = make_events(2000, seed=2)
    assert np.array_equal(np.asarray(training_events(**told)), events[::3])
    assert np.array_equal(np.asarray(validation_events(**told)), events[1::3])
    store = open_store(load_manifest(site.manifest).challenge("told"))
    assert np.array_equal(store.indices("background"), np.arange(2, 2000, 3))
    assert len(store.indices("heavy")) == 250

    stated["split"]["index"] = "none"
    site.manifest.write_text(yaml.safe_dump(document), "utf-8")
    for folder in ("background", "heavy"):
        (site.folder / "cache" / "told" / folder / "about.json").unlink()
    (site.folder / "cache" / "told" / "pins.json").unlink()
    done = site.fetch()
    assert done.returncode == 5
    assert "it has no dataset none" in done.stderr


def pieces_of(names: list[tuple[str, str | None]], **known: object) -> list[dict[str, object]]:
    """State files of one process, each with its part."""
    return [{"name": f"{name}.h5", "part": part, **known} for name, part in names]


def test_a_process_may_have_several_files(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    background = [("learn", "train"), ("tune", "validation"), ("background", "test")]
    files = [
        {"role": "background", "process": "sm", "title": "SM", "pieces": pieces_of(background)},
        {
            "role": "signal",
            "process": "x",
            "title": "X",
            "pieces": pieces_of([("heavy-learn", "test"), ("heavy", None)]),
        },
    ]
    site.state(files=files)
    done = site.fetch()
    assert done.returncode == 0, done.stderr
    told = site.parts(monkeypatch)
    assert np.array_equal(np.asarray(training_events(**told)), make_events(900, seed=0))
    assert np.array_equal(np.asarray(validation_events(**told)), make_events(300, seed=1))
    store = open_store(load_manifest(site.manifest).challenge("told"))
    assert store.processes == ("sm", "x")
    assert np.array_equal(store.indices("sm"), np.arange(1200, 3200))
    assert np.array_equal(store.events("sm")[1200:], make_events(2000, seed=2))
    assert len(store.indices("x")) == 450
    again = site.fetch()
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("cached") == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"part": "test"}, "sm has pieces: each of them has its own part"),
        ({"pieces": pieces_of([("a", "train")])}, "no background file has the part test"),
        ({"pieces": pieces_of([("a", None)])}, "a.h5 has no part and the split no index"),
        ({"pieces": pieces_of([("a", "test")] * 2)}, "two files share a name"),
        (
            {"pieces": pieces_of([("a", "test")], url="package:x")},
            "a piece of sm cannot come with the harness",
        ),
    ],
)
def test_pieces_that_do_not_fit_are_one_line(
    site: Site, changed: dict[str, object], told: str
) -> None:
    base = {"role": "background", "process": "sm", "title": "SM"}
    pieces = pieces_of([("background", "test")])
    site.state(files=[{**base, "pieces": pieces, **changed}])
    done = site.here("data", "check", "told", "--manifest", site.manifest)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_signals_training_part_is_given_where_the_challenge_allows_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = {"heavy-learn": "train", "heavy": "test"}
    site.state(signals=signals, training_signals=True)
    assert site.fetch().returncode == 0
    told = site.parts(monkeypatch)
    assert len(training_events(**told, signal="heavy-learn")) == 200
    assert load_manifest(site.manifest).challenge("told").signals == ("heavy",)
    with pytest.raises(UsageError, match="no signal 'none'"):
        training_events(**told, signal="none")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"signals": {"heavy-learn": "train", "heavy": "test"}},
            "heavy-learn is a signal's training part in an unsupervised challenge",
        ),
        ({"signals": {"heavy": "test", "background": "train"}}, None),
        ({"split": {"key": "k", "train": 0.5, "test": 0.5}}, "has a part, but the split is hashed"),
        (
            {"split": {"kind": "published", "key": "k", "train": 1.0}},
            "a published split has no fractions",
        ),
        ({"split": {"key": "k", "test": 1.0, "index": "told"}}, "index belongs to a split"),
        ({"split": {"kind": "random", "key": "k"}}, "split.kind: 'random' is not accepted"),
    ],
)
def test_a_split_that_does_not_fit_is_one_line_before_any_event_is_read(
    site: Site, changes: dict[str, object], told: str | None
) -> None:
    site.state(**changes)
    done = site.here("data", "check", "told", "--manifest", site.manifest)
    assert done.returncode == 2
    assert (told or "no background file has the part test") in done.stderr
    assert "Traceback" not in done.stderr
