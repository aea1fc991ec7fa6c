"""Whatever bytes come in from outside, each reader gives a value or says what is wrong with them.

`DOORS` lists every place where something foreign enters: a new one is one line there. Each is
opened with whole documents that were damaged at random, and with noise. `make fuzz` runs more.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.blackbox.seal import Secret, open_key
from harness.board.decisions import read_decisions
from harness.board.index import CardIndex
from harness.card.figures import NotMeasured
from harness.card.files import KeptScores, pack_scores, parse_card, unpack_scores
from harness.challenge import ImageLayout
from harness.ci.artefact import read_archive
from harness.ci.documents import Plan, Scoring, Summary
from harness.ci.github import FinishedRun, Forge, read_event
from harness.ci.ledger import read_attempts
from harness.ci.staging import read_files, write_files
from harness.data import hdf5, hub, hub_api, npy
from harness.data.level1.on_hub import files_of
from harness.data.level1.reading import open_data_set
from harness.data.manifest import load_manifest
from harness.data.pandas_hdf5 import opened_table as opened_table_of_pandas
from harness.data.pins import read_pins
from harness.data.sample import decode_member, encode_chunk, read_members, write_sample
from harness.data.tables.columns import arrange
from harness.data.tables.opening import opened_table
from harness.data.tables.source import Source
from harness.data.web import Document
from harness.errors import DataError, ExitCode, HarnessError
from harness.files import load_yaml, parse_json
from harness.firmware.reports.csynth import parse_csynth_rpt, parse_csynth_xml
from harness.firmware.reports.folder import find_reports
from harness.firmware.reports.vivado import parse_timing, parse_utilisation
from harness.sandbox.report import read_answer
from harness.sandbox.scores import read_scores
from harness.simulate.process import read_card as read_process
from harness.simulate.provenance import ATTRIBUTE, read_provenance
from harness.submission.declaration import parse_spec
from harness.submission.events import save_events, sparse_of
from harness.submission.graph import parse_graph
from harness.submission.onnx.reading import read_onnx
from harness.submission.saved.container import read_saved
from harness.submission.saved.layers import read_graph
from harness.submission.tree_models import load_forest
from harness.submission.validate import read_submission
from tests.cards import make_card
from tests.events import LAYOUT, make_events, write_hdf5
from tests.level1 import draw, small_challenge, write_hub
from tests.repositories import MODEL, declaration

IMAGES = ImageLayout(height=5, width=4)
MIB = 1024**2
# What one document may take: memory beside what the process has already, and processor time.
MEMORY_BYTES = 512 * MIB
CPU_S = 20.0
EXAMPLES = 20
GOLDEN = Path(__file__).parents[1] / "golden"
SAVED = Path(__file__).parents[1] / "data" / "saved_models"
TABLES = Path(__file__).parents[1] / "data" / "pandas_hdf5"
# A wrong call of the command line is the caller's: the paths here are right.
CODES = {ExitCode.INVALID, ExitCode.ENVIRONMENT}

Read = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Door:
    """A place where something foreign enters.

    Attributes
    ----------
    read : callable
        Reads bytes; gets a folder of its own to put them into.
    seeds : callable
        Whole documents.
    codes : set of ExitCode
        How it may refuse.
    is_apart : bool
        Opened in a process of its own: a library in C reads it.
    """

    read: Read
    seeds: Callable[[], list[bytes]]
    codes: frozenset[ExitCode] | set[ExitCode] = frozenset(CODES)
    is_apart: bool = False


def placed(read: Callable[[Path], object], name: str) -> Read:
    """Read a file of this name."""

    def opened(content: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read(path)

    return opened


def as_text(read: Callable[[str], object]) -> Read:
    return lambda content, _: read(content.decode("utf-8", errors="replace"))


# --- Whole documents ------------------------------------------------------------------------------


@cache
def small_card():
    return make_card("mine", scores=NotMeasured(not_measured="made up"))


def card() -> list[bytes]:
    return [small_card().model_dump_json().encode()]


def packed_scores() -> list[bytes]:
    counts = {file.process: file.n_scored for file in small_card().challenge.files}
    scores = {name: np.zeros(min(n, 10)) for name, n in counts.items()}
    return [pack_scores(KeptScores(float_scores=scores, firmware_scores={}))]


def summary() -> bytes:
    scoring = Scoring(team="mine", challenge="sample", status="scored", card="mine/x")
    made = Summary(challenge="sample", plan=None, scorings=(scoring,))
    return made.model_dump_json().encode()


def artefact() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("summary.json", summary())
            archive.writestr("cards/mine.json", b"{}")
        found.append(out.getvalue())
    return found


@cache
def onnx_files() -> list[bytes]:
    from tests.onnx_zoo import EXACT, FLOAT, Graph

    made = (FLOAT["dense"], FLOAT["shapes"], EXACT["quantised_dense"])
    return [make(Graph()).SerializeToString() for make in made]


def npy_file() -> list[bytes]:
    found = []
    for array in (np.zeros((5, 3), "<f4"), np.array([{}], object), np.zeros(3, "i4,f8")):
        out = io.BytesIO()
        np.save(out, array, allow_pickle=True)
        found.append(out.getvalue())
    out = io.BytesIO()
    np.savez(out, a=np.zeros(3))
    return [*found, out.getvalue()]


def written(write: Callable[[Path], object]) -> Callable[[], list[bytes]]:
    """A seed that a function writes to a file."""

    @cache
    def seeds() -> list[bytes]:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            write(path)
            return [path.read_bytes()]

    return seeds


def write_provenance(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs[ATTRIBUTE] = '{"schema": 1}'


def write_sparse(path: Path) -> None:
    save_events(path, sparse_of(make_events(20, seed=1)))


def write_images(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["Images/indptr"] = np.arange(21)
        file["Images/index"] = np.arange(20)
        file["Images/value"] = np.ones(20, np.float32)


def read_images(path: Path) -> object:
    """Read an HDF5 file of images as a fetch does."""
    hdf5.count_events(path, IMAGES)
    return list(hdf5.read_chunks(path, IMAGES))


def write_events(path: Path) -> None:
    write_hdf5(path, make_events(20, seed=1))


def sample_file(path: Path) -> None:
    steps = np.zeros((6, *LAYOUT.shape), np.int16)
    write_sample(path, LAYOUT, [("background", iter([steps]))])
    assert encode_chunk(steps, LAYOUT)


def vendor_report(ending: str) -> Callable[[], list[bytes]]:
    paths = sorted((GOLDEN / "firmware").rglob(f"*{ending}"))
    return lambda: [path.read_bytes() for path in paths] or [CSYNTH]


CSYNTH = b"""<profile><ReportVersion><Version>2020.1</Version></ReportVersion><UserAssignments>
<Part>xcvu9p-flga2104-2L-e</Part><TopModelName>top</TopModelName><TargetClockPeriod>5.00
</TargetClockPeriod></UserAssignments></profile>"""
RPT = b"""== Vitis HLS Report for 'top'
* Version: 2020.1
+ Latency:
| Clock | Target | Estimated | Uncertainty |
| ap_clk | 5.00 ns | 4.00 ns | 0.60 ns |
|  10 |  10 | 50 ns | 50 ns |  1 |  1 | none |
== Utilization Estimates
| Name | BRAM_18K | DSP | FF | LUT | URAM |
| Total | 0 | 1 | 2 | 3 | 0 |
| Available | 9 | 9 | 9 | 9 | 9 |
"""
ROUTED = b"""| Tool Version : Vivado v.2020.1 (lin64)
| Command      : report_timing_summary report_utilization
| Design       : top
| Device       : xcvu9p-flga2104-2L-e
| Design State : Routed
| CLB LUTs | 3 | 0 | 1182240 | 0.1 |
| CLB Registers | 3 | 0 | 2364480 | 0.1 |
| Block RAM Tile | 0.5 | 0 | 2160 | 0.1 |
| DSPs | 1 | 0 | 6840 | 0.1 |
Slack (MET) :             1.205ns
  Requirement:            5.000ns
"""
DECISIONS = (
    b'{"schema_version": 1, "decisions": [{"kind": "freeze", "decided": "2026-03-01T12:00:00Z", '
    b'"reason": "x", "deadline": "2026-03-01T12:00:00Z"}]}'
)
ATTEMPT = (
    b'{"made":"2026-03-01T12:00:00Z","team":"a","digest":"sha256:%s","status":"scored",'
    b'"exit_code":0,"is_fault_of_platform":false,"scorer_version":1,"card":null}\n' % (b"0" * 64)
)
EVENT = (
    b'{"workflow_run": {"id": 1, "event": "pull_request", "head_sha": "%s", "head_branch": "b", '
    b'"head_repository": {"full_name": "a/b"}}}' % (b"0" * 40)
)
SEAL = json.dumps(
    {
        "box_name": "x",
        "box_checksum": "sha256:" + 64 * "0",
        "protection": {"kind": "key file"},
        "checksum": f"sha256:{hashlib.sha256(b'gAAAAA').hexdigest()}",
        "token": "gAAAAA",
    }
).encode()
GRAPH = b'{"schema_version": 1, "config": {"layers": [[["x"]]]}, "weights": [1.5e3]}'
MANIFEST = b"schema: 1\nchallenges: []\n"
PROCESS = b'schema: 1\nname: x\ntitle: "x"\nsettings: ["HardQCD:all = on"]\n'
CONFIG = b"ProjectName: top\nPart: xcvu9p\nModel: !keras_model 'x'\n"


# --- The doors ------------------------------------------------------------------------------------


def find_config(content: bytes, folder: Path) -> object:
    (folder / "hls4ml_config.yml").write_bytes(content)
    return find_reports(folder)


def read_archive_of_submission(name: str) -> Read:
    """Check a submission with this file among its weights."""

    def read(content: bytes, folder: Path) -> object:
        place = write_files(
            {"submission.yaml": declaration("mine"), "model.py": MODEL, name: content},
            folder / "mine",
        )
        return read_submission(place)

    return read


def read_tree(content: bytes, folder: Path) -> object:
    """Read a submission from a tree of git that holds these bytes, and stage it."""
    from harness.ci.git import Repository
    from tests.repositories import GitRepository

    made = GitRepository.init(folder / "clone", {"a": b""})
    body = b"100644 a\0" + bytes(20) + content
    try:
        tree = made.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", content=body)
    except AssertionError:
        return None
    return write_files(read_files(Repository(folder / "clone"), tree), folder / "staged")


class StandIn(Forge):
    """A forge whose every answer is the same."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        super().__init__(repository="a/b", token="t", api="http://localhost")
        object.__setattr__(self, "content", content)

    def _read(self, *_: object, **__: object) -> bytes:
        return self.content


def ask_forge(content: bytes, _: Path) -> object:
    run = FinishedRun.model_validate(json.loads(EVENT)["workflow_run"])
    return StandIn(content).pull_request_of(run)


def ask_hub(content: bytes, _: Path) -> object:
    """Take the content for either answer: which commit is meant, and the files of it."""
    listings = []
    for before in ([], [HUB_ANSWERS[0]]):
        answers = (
            Document(content=answer, url="https://hub.org/api", next_url=None)
            for answer in chain(before, repeat(content))
        )
        with patch.object(hub_api, "get_document", side_effect=answers), suppress(DataError):
            there = hub_api.Hub(endpoint="https://hub.org")
            found = hub.list_files(there, "CERN/x", None, folder="data")
            listings.append(files_of(found, "ZB", ("test",), with_seeds=True))
    return listings


def index_of(content: bytes, folder: Path) -> object:
    for name in ("sample/a/x.json", "sample/decisions.json", "sample/summary.json"):
        placed(Path.exists, f"results/{name}")(content, folder)
    return CardIndex(folder / "results").refresh()


def read_forest(path: Path) -> object:
    """Read trees as a network's code does, which is given a `ValueError`."""
    with suppress(ValueError):
        return load_forest(path)
    return None


def forest() -> list[bytes]:
    out = io.BytesIO()
    tree = {"feature": [0, -1, -1], "threshold": [1.0, 0, 0], "left": [1, -1, -1]}
    np.savez(out, **tree, right=[2, -1, -1], value=[0, 1.0, 2], root=[0])
    return [out.getvalue(), *npy_file()]


def sealed_beside(path: Path) -> Path:
    key = path.with_name("box.key")
    key.write_bytes(SEAL)
    return key


def open_sealed(content: bytes, folder: Path) -> object:
    """Open a key whose checksum is right, however it was damaged."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        seal = json.loads(content)
        seal["checksum"] = f"sha256:{hashlib.sha256(seal['token'].encode()).hexdigest()}"
        content = json.dumps(seal).encode()
    (folder / "box.key").write_bytes(content)
    (folder / "secret").write_bytes(b"A" * 43 + b"=")
    return open_key(folder / "box.key", Secret(key_file=folder / "secret"))


def decode_sample(path: Path) -> object:
    return [list(decode_member(path, one, LAYOUT)) for one in read_members(path, LAYOUT)]


def read_table_of_pandas(path: Path) -> object:
    """Read all that is in a table of pandas, and the names in its pickled attributes."""
    with opened_table_of_pandas(path) as table:
        return table.blocks, table.read(slice(0, table.n_rows))


def read_hdf5(path: Path) -> object:
    hdf5.count_events(path, LAYOUT)
    return list(hdf5.read_chunks(path, LAYOUT)), hdf5.read_ids(path, 20)


# The caller may have named no array, or one that is not there.
TABLE = {*CODES, ExitCode.USAGE}


def read_table(path: Path) -> object:
    """Read a table as `harness data import` does."""
    with opened_table(Source(path=path)) as table:
        how = arrange(table, None)
        return [how.events(block.values, table, 0) for block in table.blocks]


def write_parquet(path: Path) -> None:
    pd.DataFrame(np.zeros((9, 3)), columns=["a", "b", "c"]).to_parquet(path)


def write_level1(path: Path) -> None:
    # The manifest is read here, not by each process that opens the door.
    small_challenge()
    write_hub(path.parent, draw("ZB_run396102", "test", 9), n_files=1)
    (path.parent / "data/ZB_run396102/test-00000-of-00001.parquet").rename(path)


def read_level1(path: Path) -> object:
    """Read events and what stands beside them, as `harness fetch cmsl1t --from` does."""
    rules = small_challenge()
    (file, *_) = rules.files
    rules = rules.model_copy(update={"algorithms": None})
    source = open_data_set(rules, file, path.parents[2], ("test",))
    return [events for events, _ in source.chunks]


PINS = json.dumps({"schema": 1, "files": {}, "revisions": {"CERN/x": "a" * 40}}).encode()
HUB_ANSWERS = [
    json.dumps({"id": "CERN/x", "sha": "a" * 40}).encode(),
    json.dumps(
        [
            {
                "type": "file",
                "path": f"data/ZB/{folder}test-00000-of-00001.parquet",
                "size": 9,
                "lfs": {"oid": "b" * 64, "size": 9, "pointerSize": 133},
            }
            for folder in ("", "seeds/")
        ]
    ).encode(),
]
DOORS: dict[str, Door] = {
    "strict YAML": Door(as_text(lambda text: load_yaml(text, source="x")), lambda: [CONFIG]),
    "strict JSON": Door(
        lambda content, _: parse_json(content, Plan, source="x"), lambda: [summary()]
    ),
    "manifest": Door(
        placed(load_manifest, "m.yaml"), lambda: [MANIFEST], codes=frozenset({ExitCode.USAGE})
    ),
    "declaration": Door(as_text(lambda text: parse_spec(text, "a")), lambda: [declaration("a")]),
    "source of a submission": Door(read_archive_of_submission("part.py"), lambda: [MODEL]),
    ".keras archive": Door(read_archive_of_submission("w.keras"), artefact),
    ".npz archive": Door(read_archive_of_submission("w.npz"), npy_file),
    "arrays of trees": Door(placed(read_forest, "forest.npz"), forest),
    "trees of XGBoost": Door(
        placed(read_forest, "model.json"),
        lambda: [(GOLDEN / "trees" / "boosted.json").read_bytes()],
    ),
    "HDF5 weights": Door(read_archive_of_submission("w.weights.h5"), written(write_events)),
    "saved .h5": Door(
        placed(lambda path: read_graph(read_saved(path)), "model.h5"),
        lambda: [(SAVED / "quantised_autoencoder.h5").read_bytes()],
        is_apart=True,
    ),
    "saved .keras": Door(
        placed(lambda path: read_graph(read_saved(path)), "model.keras"),
        lambda: [(SAVED / "quantised_autoencoder.keras").read_bytes()],
        is_apart=True,
    ),
    "git tree": Door(read_tree, lambda: [b"100644 b\0" + bytes(20), b"40000 ..\0" + bytes(20)]),
    "score card": Door(lambda content, _: parse_card(content, source="x"), card),
    "folder of results": Door(index_of, lambda: [*card(), DECISIONS]),
    "packed scores": Door(lambda content, _: unpack_scores(content, small_card()), packed_scores),
    "artefact of a run": Door(lambda content, _: read_archive(content), artefact),
    "decisions": Door(
        placed(lambda path: read_decisions(path.parents[1], "sample"), "sample/decisions.json"),
        lambda: [DECISIONS],
    ),
    "attempts": Door(
        placed(lambda path: read_attempts(path.parents[1], "sample"), "sample/attempts.jsonl"),
        lambda: [ATTEMPT * 3],
    ),
    "event of a workflow": Door(
        placed(read_event, "e.json"), lambda: [EVENT], codes={ExitCode.USAGE}
    ),
    "answers of a forge": Door(ask_forge, lambda: [b'[{"number": 1, "state": "open"}]']),
    "answers of the Hub": Door(ask_hub, lambda: HUB_ANSWERS),
    "report of a step": Door(
        lambda content, _: read_answer(content, "x"),
        lambda: [b'{"report": {"x": [1, 2.5, "a"]}}', b'{"kind": "LimitError", "problems": [{}]}'],
        codes={*CODES, ExitCode.SUBMISSION_FAILED, ExitCode.LIMIT},
    ),
    "scores of a step": Door(
        placed(lambda path: read_scores(path, 3), "scores"), lambda: [np.zeros(3).tobytes()]
    ),
    "graph": Door(as_text(parse_graph), lambda: [GRAPH]),
    "ONNX file": Door(placed(read_onnx, "model.onnx"), onnx_files),
    "csynth.xml": Door(
        lambda content, _: parse_csynth_xml(content), lambda: [CSYNTH, b"<!DOCTYPE x>" + CSYNTH]
    ),
    "csynth.rpt": Door(as_text(parse_csynth_rpt), lambda: [RPT]),
    "utilisation of a routed design": Door(as_text(parse_utilisation), lambda: [ROUTED]),
    "timing of a routed design": Door(as_text(parse_timing), lambda: [ROUTED]),
    "configuration of hls4ml": Door(find_config, lambda: [CONFIG]),
    "key of a black box": Door(open_sealed, lambda: [SEAL], codes={*CODES, ExitCode.USAGE}),
    "secret of a black box": Door(
        placed(lambda path: open_key(sealed_beside(path), Secret(key_file=path)), "secret"),
        lambda: [b"A" * 43 + b"="],
        codes={*CODES, ExitCode.USAGE},
    ),
    "pins": Door(placed(read_pins, "pins.json"), lambda: [PINS]),
    "sample of events": Door(placed(decode_sample, "s.events"), written(sample_file)),
    "cached events": Door(placed(npy.map_npy, "events.npy"), npy_file),
    "events for a scorer": Door(placed(npy.map_events, "events.npy"), written(write_sparse)),
    "process to simulate": Door(
        placed(read_process, "p.yaml"), lambda: [PROCESS], codes={ExitCode.USAGE}
    ),
    "HDF5 images": Door(placed(read_images, "i.h5"), written(write_images), is_apart=True),
    "table of pandas": Door(
        placed(read_table_of_pandas, "t.h5"),
        lambda: [path.read_bytes() for path in sorted(TABLES.glob("*.h5"))],
        is_apart=True,
    ),
    "HDF5 events": Door(placed(read_hdf5, "e.h5"), written(write_events), is_apart=True),
    "HDF5 table": Door(placed(read_table, "t.h5"), written(write_events), TABLE, is_apart=True),
    "CSV table": Door(
        placed(read_table, "t.csv"), lambda: [b"a,b\n1,2\n3,4\n"], TABLE, is_apart=True
    ),
    "Parquet table": Door(placed(read_table, "t.parquet"), written(write_parquet), is_apart=True),
    "CMS level-1 release": Door(
        placed(read_level1, "data/ZB_run396102/test-00000-of-00001.parquet"),
        written(write_level1),
        is_apart=True,
    ),
    "npy table": Door(placed(read_table, "t.npy"), npy_file),
    "npz table": Door(placed(read_table, "t.npz"), npy_file, TABLE),
    "HDF5 provenance": Door(
        placed(read_provenance, "p.h5"), written(write_provenance), is_apart=True
    ),
}

# --- Damage ---------------------------------------------------------------------------------------

NASTY = [
    *(b"NaN", b"1e999", b"-1", b"9" * 400, b"9" * 5000, b"0x1.2.3", b"1.2.3", b"null", b"true"),
    *(b"[" * 5000, b"{" * 5000, b'{"a":' * 3000, b"- " * 3000, b"(" * 3000, b"<a>" * 3000),
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\x1b[31m", b"\xe2\x80\xae", b"\r"),
    *(b"&a *a", b"<<: *a", b"!!python/object:os.system", b"2021-02-30", b"1_0", b"1:30", b"? "),
    *(b"\xff" * 8, b"\x7f" + b"\xff" * 7, bytes(64), b"PK\x01\x02", b"../" * 9, b"%s%n{0}"),
]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the documents with a few places cut out, doubled, changed or written over."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200) | st.sampled_from(NASTY))
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(content)))
        last = min(len(content), first + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("cut off", "cut out", "double", "nasty", "noise", "over"))):
            case "cut off":
                del content[first:]
            case "cut out":
                del content[first:last]
            case "double":
                content[last:last] = content[first:last]
            case "nasty":
                content[first:last] = draw(st.sampled_from(NASTY))
            case "noise":
                content[first:last] = draw(st.binary(max_size=12))
            case "over":
                noise = draw(st.binary(min_size=1, max_size=8))
                content[first : first + len(noise)] = noise
    return bytes(content)


@contextmanager
def limited() -> Iterator[None]:
    """Limit the address space of this process to what it has and `MEMORY_BYTES` more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def opened(door: Door, content: bytes, folder: Path) -> None:
    """Open a door; fail if what comes out is neither a value nor a refusal."""
    started = time.process_time()
    with limited():
        refusal = _refusal(door, content, folder)
    assert time.process_time() - started < CPU_S
    if refusal is not None:
        assert refusal.exit_code in door.codes, f"{type(refusal).__name__}: {refusal}"
        assert all(problem.what for problem in refusal.problems)


def _refusal(door: Door, content: bytes, folder: Path) -> HarnessError | None:
    try:
        door.read(content, folder)
    except HarnessError as error:
        return error
    return None


def opened_apart(door: Door, content: bytes, folder: Path) -> None:
    """Open a door in a process of its own, so that a library that crashes is seen."""
    log = folder / "log"
    child = os.fork()
    if child == 0:
        code = 0
        try:
            opened(door, content, folder)
        except BaseException:  # noqa: BLE001 - the parent reports it
            log.write_text(traceback.format_exc())
            code = 1
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, log.read_text() if log.exists() else f"the reader died: {status}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DOORS)
def test_whatever_comes_is_a_value_or_is_refused(name, tmp_path_factory):
    door = DOORS[name]
    seeds = door.seeds()

    @settings(max_examples=EXAMPLES, database=None)
    @given(content=damaged(seeds))
    def run(content: bytes) -> None:
        check = opened_apart if door.is_apart else opened
        check(door, content, tmp_path_factory.mktemp("door"))

    for seed in (*seeds, *NASTY, b""):
        opened_seed = opened_apart if door.is_apart else opened
        opened_seed(door, seed, tmp_path_factory.mktemp("seed"))
    run()
