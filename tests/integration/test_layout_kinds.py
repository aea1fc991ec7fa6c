"""Constituents and images, from the manifest to the page: one challenge of each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from harness.board.boards import Boards
from harness.card.files import read_card
from harness.challenge import ConstituentLayout, ImageLayout
from harness.challenge.layout import AnyLayout
from harness.data import training_events
from harness.data.hdf5_writer import write_events
from leaderboard_app.static_site import export_site
from tests.events import make_challenge, toy_file
from tests.integration.conftest import CommandLine, write_submission

pytestmark = pytest.mark.whole

DOCS = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
# The track that the documentation shows.
(SHOWN,) = re.findall(r"tests score on these constituents -->\n```yaml\n(.*?)```", DOCS, re.DOTALL)
JETS = ConstituentLayout(n_constituents=30, features=("pt", "deta", "dphi", "charge"))
IMAGES = ImageLayout(height=12, width=10, channels=("ecal", "hcal"), non_negative=True)
STATED = {
    "jets": yaml.safe_load(SHOWN),
    "images": {
        "layout": IMAGES.model_dump(mode="json"),
        "merit": {"kind": "max_sic", "min_background": 20},
        "targets": [{"kind": "none"}],
    },
}
N_EVENTS = {"background": 4000, "loud": 400}
NETWORK = """
import keras
import numpy as np
from keras import layers


def network():
    keras.utils.set_random_seed(1)
    image = keras.Input((12, 10, 2))
    small = layers.Conv2D(2, 3, strides=2, padding="same", use_bias=False)(image)
    small = layers.PReLU(shared_axes=[1, 2])(small)
    again = layers.Conv2DTranspose(2, 2, strides=2, use_bias=False)(small)
    return keras.Model(image, keras.ops.mean(keras.ops.square(image - again), axis=(1, 2, 3)))
"""
# A network on images, code on constituents.
TEAMS = {"images": "decoder", "jets": "summed"}
SCORE = """
def score(events):
    assert events.shape[1:] == (30, 4), events.shape
    return events[..., 0].sum(axis=1)
"""


def make_jets(n_events: int, *, seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw jets of 1 to 30 constituents in steps of pT, shape (n, 30, 4)."""
    generator = np.random.default_rng(seed)
    events = generator.normal(size=(n_events, 30, 4)).astype(np.float32)
    events[..., 0] = np.ceil(scale * generator.exponential(20.0, (n_events, 30)))
    events[np.arange(30) >= generator.integers(1, 31, n_events)[:, None]] = 0.0
    return events


def make_images(n_events: int, *, seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw images of 12 x 10 pixels and two channels, one value in ten filled."""
    generator = np.random.default_rng(seed)
    pixels = scale * generator.exponential(5.0, (n_events, *IMAGES.shape))
    return (pixels * (generator.random(pixels.shape) < 0.1)).astype(np.float32)


MAKE = {"jets": (make_jets, JETS), "images": (make_images, IMAGES)}


def write_manifest(path: Path, **changes: dict[str, object]) -> None:
    """Write both challenges, with other values in some fields of one."""
    files = [
        toy_file(f"{name}.h5", process=name, role=role, n_events=N_EVENTS[name])
        for name, role in (("background", "background"), ("loud", "signal"))
    ]
    base = make_challenge(files).model_dump(mode="json")
    del base["targets"], base["collision_rate_hz"]
    stated = [
        {**base, **own, "name": name, **changes.get(name, {})} for name, own in STATED.items()
    ]
    path.write_text(json.dumps({"schema": 1, "challenges": stated}), encoding="utf-8")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Both challenges, fetched: the background of each is sparse in its file, the signal dense."""
    line = CommandLine(tmp_path_factory.mktemp("kinds"))
    write_manifest(line.manifest)
    for name, (make, layout) in MAKE.items():
        folder = line.folder / name
        folder.mkdir()
        background = make(N_EVENTS["background"], seed=1)
        write_events(folder / "background.h5", layout, [background], n_events=len(background))
        with h5py.File(folder / "loud.h5", "w") as file:
            dataset = "Images" if layout.is_sparse else "Particles"
            file[dataset] = make(N_EVENTS["loud"], seed=2, scale=1.5)
        here = ("--from", folder, "--trust-first-use")
        done = line.here("fetch", name, "--manifest", line.manifest, *here)
        assert done.returncode == 0, done.stderr
    return line


@pytest.fixture(scope="module")
def scored(kinds: CommandLine) -> CommandLine:
    """An entry of each division."""
    for name, team in TEAMS.items():
        given = {"images": {"model": NETWORK}, "jets": {"model": SCORE, "division": "open"}}[name]
        folder = write_submission(kinds.folder / team, **given)
        done = kinds("score", folder, "--challenge", name, "--manifest", kinds.manifest)
        assert done.returncode == 0, done.stderr
    return kinds


@pytest.mark.parametrize("name", MAKE)
def test_what_is_trained_on_is_dense(kinds: CommandLine, name: str, monkeypatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(kinds.folder / "cache"))
    make, layout = MAKE[name]
    selected = training_events(name, manifest=kinds.manifest)
    assert selected.shape[1:] == layout.shape
    every = make(N_EVENTS["background"], seed=1)
    trained = np.concatenate(list(selected.chunks(700)))
    assert trained.dtype == np.float32
    assert np.isin(trained.sum(axis=(1, 2)), every.sum(axis=(1, 2))).all()
    assert np.array_equal(trained[:3], selected[:3])
    assert 1800 < len(trained) < 2200


@pytest.mark.parametrize(("name", "team"), TEAMS.items())
def test_scored_ranked_and_shown(scored: CommandLine, name: str, team: str) -> None:
    (path,) = (scored.folder / "results" / name / team).glob("*.json")
    card = read_card(path)
    assert card.float_physics.auc["loud"].value > 0.6
    checks = {check.name: check for check in card.checks}
    assert {check.outcome for check in checks.values()} == {"same", "diagnostic"}
    why = checks["phi_rotation"].detail
    assert why.startswith("not measured: an image has no" if name == "images" else "not measured")
    assert card.challenge.collision_rate_hz is None
    done = scored.here("leaderboard", "--challenge", name, "--manifest", scored.manifest, "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["team"], row["rank"]) == (team, 1), row["reasons"]


def test_described_and_on_the_pages(scored: CommandLine) -> None:
    for name in MAKE:
        done = scored.here("data", "describe", name, "--manifest", scored.manifest)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) < 140
    summary = json.loads((scored.folder / "results" / "images" / "summary.json").read_text("utf-8"))
    counted = {one["name"]: one["counts"] for one in summary["distributions"]}
    assert sum(counted["ecal_sum"]["background"]) == N_EVENTS["background"]
    (background, _) = summary["processes"]
    share = float((make_images(N_EVENTS["background"], seed=1) != 0)[..., 1].mean())
    assert background["occupancy"]["hcal"] == [pytest.approx(share)]
    out = scored.folder / "pages"
    export_site(Boards(scored.folder / "results"), out)
    for name, team in TEAMS.items():
        text = "".join(page.read_text("utf-8") for page in (out / name).rglob("*.html"))
        assert team in text


def test_layers_without_firmware_are_refused_by_name_where_the_gate_is_an_fpga(
    kinds: CommandLine, tmp_path: Path
) -> None:
    fpga = make_challenge([toy_file()]).model_dump(mode="json")["targets"]
    manifest = tmp_path / "fpga.yaml"
    write_manifest(manifest, images={"targets": fpga, "merit": None})
    folder = write_submission(tmp_path / "decoder", model=NETWORK)
    done = kinds("score", folder, "--challenge", "images", "--manifest", manifest)
    assert done.returncode == 3
    assert "(Conv2DTranspose) has no firmware" in done.stderr
    assert "use UpSampling2D and Conv2D" in done.stderr


@pytest.mark.parametrize("division", ["trigger", "open"])
@pytest.mark.parametrize("name", MAKE)
def test_a_new_entry_fits_the_shape(
    kinds: CommandLine, tmp_path: Path, name: str, division: str
) -> None:
    more = ("--open",) if division == "open" else ()
    where = ("--challenge", name, "--manifest", kinds.manifest, "--submissions", tmp_path)
    done = kinds.here("new", "fresh", *where, *more)
    assert done.returncode == 0, done.stderr
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "fresh").iterdir())
    assert ("12, 10, 2" if name == "images" else "30, 4") in text


PIXELS = {"indptr": [0, 2, 3], "index": [4, 7, 0], "value": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"index": [7, 4, 0]}, "Images/index has 4 at the wrong place"),
        ({"index": [4, 4, 0]}, "Images/index has 4 at the wrong place"),
        ({"index": [4, 240, 0]}, "Images/index has 240 at the wrong place"),
        ({"index": [4, -1, 0]}, "Images/index has -1 at the wrong place"),
        ({"index": [4, 7]}, "Images/index has the shape (2,)"),
        ({"index": [4.0, 7.0, 0.0]}, "Images/index holds float64"),
        ({"indptr": [0, 2, 4]}, "indptr does not share out the 3 rows"),
        ({"indptr": [0, 3, 2, 3]}, "indptr does not share out the 3 rows"),
        ({"indptr": [0]}, "it holds no events"),
        ({"value": [1.0, np.nan, 3.0]}, "event 0, pixel (0, 3, 1)"),
        ({"value": [1.0, 2.0, -3.0]}, "a pixel is -3.0"),
        ({"value": None}, "it has no dataset Images/value"),
    ],
)
def test_a_broken_sparse_file_is_one_line(
    kinds: CommandLine, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    with h5py.File(tmp_path / "box.h5", "w") as file:
        for name, values in {**PIXELS, **changed}.items():
            if values is not None:
                file[f"Images/{name}"] = values
    assert told in refusal(tmp_path / "box.h5", IMAGES)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"Particles": np.ones((2, 30, 3))}, "Particles has the shape (2, 30, 3)"),
        ({"Particles": np.ones((2, 30, 4)) * (np.arange(30) != 3)[:, None]}, "follows an empty"),
        ({"Particles": np.full((2, 30, 4), np.inf)}, "pt = inf is not finite"),
        ({"Particles/indptr": [0, 31], "Particles/value": np.ones((31, 4))}, "31 constituents"),
        ({"Particles/indptr": [0, 1], "Particles/value": np.ones((1, 3))}, "(M, 4)"),
        ({"Images": np.ones((2, 30, 4))}, "it has no dataset Particles; it holds Images"),
    ],
)
def test_broken_constituents_are_one_line(
    tmp_path: Path, content: dict[str, object], told: str
) -> None:
    with h5py.File(tmp_path / "box.h5", "w") as file:
        for name, values in content.items():
            file[name] = values
    assert told in refusal(tmp_path / "box.h5", JETS)


def refusal(path: Path, layout: ConstituentLayout | ImageLayout) -> str:
    """Return what is said of a file when it is fetched; nothing if it is accepted."""
    from harness.data.unpack import unpack_events
    from harness.errors import DataError

    try:
        unpack_events(path, layout, path.with_suffix(".npy"))
    except DataError as error:
        (problem,) = error.problems
        return str(problem)
    return ""


def test_the_layouts_of_the_documentation_are_read() -> None:
    lines = re.findall(r"^    layout: (\{kind: .*\})$", DOCS, re.MULTILINE)
    shapes = [TypeAdapter(AnyLayout).validate_python(yaml.safe_load(line)).shape for line in lines]
    assert shapes == [(700, 3), (700, 3), (288, 360, 3)]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (np.ones(2), ""),
        (np.array([1.0, -1.0]), "the weight of event 1 is -1"),
        (np.array([np.nan, 1.0]), "the weight of event 0 is nan"),
        (np.ones(1), "weights has the shape (1,)"),
        (np.array([0.5, 2.0]), "the events have weights from 0.5 to 2"),
    ],
)
def test_events_that_do_not_count_alike_are_one_line(
    tmp_path: Path, weights: np.ndarray, told: str
) -> None:
    from harness.data.hdf5 import check_weights
    from harness.errors import DataError

    with h5py.File(tmp_path / "box.h5", "w") as file:
        file["weights"] = weights
    if not told:
        check_weights(tmp_path / "box.h5", 2)
        return
    with pytest.raises(DataError, match=re.escape(told)):
        check_weights(tmp_path / "box.h5", 2)


def test_an_empty_image_is_counted_and_reported() -> None:
    from harness.data.structure import StructureCheck
    from harness.submission.events import sparse_of

    check = StructureCheck(source="box.h5", layout=IMAGES)
    dense = make_images(3, seed=1)
    dense[1] = 0.0
    check.add(sparse_of(dense))
    assert check.report().remarks == ("1 events are images without a pixel that is not zero",)
