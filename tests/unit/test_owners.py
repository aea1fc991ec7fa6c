"""Each way to read what comes from outside, and each way to print, has its owners."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("harness/**/*.py"), *ROOT.glob("leaderboard_app/**/*.py")])

# Calls and imports that turn bytes into values, as patterns of their dotted names.
READERS = re.compile(
    r"yaml\.\w*(load|Loader|compose|parse|scan)\w*"
    r"|json\.loads?|JSONDecoder|\w+\.model_validate_json"
    r"|np\.(load|fromfile|loadtxt|genfromtxt)|np\.lib\.format\.(read|open)\w*|read_array"
    r"|h5py\.File|(zipfile\.)?(ZipFile|is_zipfile)|tarfile\.open|TarFile"
    r"|zstandard\.\w*Decompress\w*|zlib\.decompress\w*|(gzip|lzma|bz2)\.\w+"
    r"|csv\.(reader|DictReader|open_csv|read_csv)|parquet\.\w+|pd\.read_\w+|configparser\.\w+|tomllib\.\w+"
    r"|(defusedxml\.)?ElementTree\.(fromstring|parse|XML|iterparse)|fromstring|minidom\.\w+"
    r"|(pickle|dill|cloudpickle|joblib|marshal|shelve)\.\w+"
    r"|onnx\.load\w*|\w+\.ParseFromString|torch\.load"
)
# Modules that no code outside a sandbox imports at all.
FORBIDDEN = frozenset({"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "xmlrpc"})

# Who may call them. A reader of something foreign stands in `DOORS` of
# tests/property/test_doors.py as well; what harness wrote itself in the same run is named so.
OWNERS: dict[str, str] = {
    "harness/files.py": "the owner of JSON and YAML",
    "harness/sandbox/report.py": "reports of steps: their own, stricter rules; a door",
    "harness/submission/graph.py": "exported graphs: their own, stricter rules; a door",
    "harness/submission/network.py": "JSON of Keras's own objects, in a step",
    "harness/submission/events.py": "events that harness wrote; a door",
    "harness/submission/onnx/reading.py": "a network in an ONNX file, in a step; a door",
    "harness/submission/torch_export.py": "weights of PyTorch without pickles, in a step",
    "harness/submission/saved/container.py": "saved models of Keras, in a step; a door",
    "harness/submission/saved/look.py": "outputs that a participant saved, in a step",
    "harness/submission/trees.py": "arrays of a participant's trees; a door",
    "harness/submission/validate.py": "the list of files of a weights archive; a door",
    "harness/card/files.py": "packed scores; a door",
    "harness/ci/artefact.py": "the artefact of a run; a door",
    "harness/board/formats.py": "a schema that was written in the line above",
    "harness/data/npy.py": "cached events; a door",
    "harness/data/hdf5.py": "files of events; a door",
    "harness/data/tables/text.py": "CSV and Parquet of an organiser; a door",
    "harness/data/tables/arrays.py": "npz archives of an organiser; a door",
    "harness/data/level1/streams.py": "Parquet of a release; a door",
    "harness/data/importing.py": "events that this run wrote",
    "harness/data/sample.py": "the sample of events; a door",
    "harness/data/sample_coding.py": "streams of the sample, of which sample.py is the door",
    "harness/data/sample_columns.py": "columns of the packaged sample, each by its checksum",
    "harness/data/hdf5_writer.py": "files that it writes",
    "harness/blackbox/reading.py": "a result file, in a step",
    "harness/scoring/score_files.py": "a file of scores, in a step",
    "harness/firmware/reports/csynth.py": "reports of C synthesis; a door",
    "harness/firmware/reports/weights.py": "a handed-in model, in a step",
    "harness/firmware/reports/design.py": "hls4ml's C++ that was handed in, in a step",
    "harness/firmware/artefacts.py": "archives that this run, or the firmware cache, wrote",
    "harness/firmware/cache.py": "the list of an entry of the cache: damaged is as not there",
    "harness/firmware/synthesise.py": "events of this run; an entry of the cache by its digests",
    "harness/firmware/witnesses/events.py": "events of this run; outputs of a step, by their size",
    "harness/firmware/witnesses/graph.py": "outputs of a step, by their size",
    "harness/firmware/witnesses/csim.py": "outputs of a step, by their size",
    "harness/firmware/rtl/simulation.py": "outputs of a step, by their size",
    "harness/firmware/rtl/synthesis.py": "what Yosys wrote, in a step",
    "harness/sandbox/worker.py": "the request of the parent, in a step",
    "harness/sandbox/child.py": "the number of a process that bubblewrap tells",
    "harness/scoring/stages.py": "times of earlier runs: damaged is as not there",
    "harness/simulate/run.py": "parts that this run wrote",
    "harness/simulate/writer.py": "parts that this run wrote",
    "harness/simulate/level1/parts.py": "parts that this run wrote",
    "harness/simulate/level1/release.py": "files that it writes",
    "harness/simulate/pileup.py": "the library of soft events: damaged is made again",
    "harness/trigger/folder.py": "files that it writes",
    "leaderboard_app/settings.py": "settings that the command passed on",
    "leaderboard_app/state.py": "settings that the command passed on",
    "leaderboard_app/packing.py": "JSON that was written some lines above",
}

# Calls that print or log, beside `tell`, `print_result` and the like of harness/cli/output.py.
PRINTERS = re.compile(
    r"print|pprint|pprint\.\w+|input"
    r"|click\.(echo|secho|confirm|prompt|echo_via_pager|style)|typer\.\w+|rich\.print\w*"
    r"|(\w+\.)*(Console|RichHandler)"
    r"|sys\.(stdout|stderr|__stdout__|__stderr__)(\.buffer)?\.(write|writelines)"
    r"|os\.write|traceback\.print_\w+|warnings\.(warn|showwarning)|\w+\.show"
    r"|logging\.\w+|logger\.\w+|log\.(debug|info|warning|error|exception|critical)|tqdm"
    r"|(\w+\.)?(ArgumentParser|parser\.error)"
)
PRINTING: dict[str, str] = {
    "harness/cli/output.py": "the owner",
    "harness/cli/__init__.py": "a message of click goes through `tell`",
    "harness/cli/board.py": "CSV and Markdown, of which `formats` makes each cell harmless",
    "harness/cli/blackbox.py": "asks for a passphrase, and a constant question",
    "harness/cli/progress.py": "bars, whose label is made visible",
    "harness/sandbox/worker.py": "the report of a step, to its pipe",
    "harness/sandbox/start.py": "a number, to a pipe",
    "harness/sandbox/inside_calls.py": "numbers and an error of the kernel, to a pipe, in a step",
    "harness/sandbox/child.py": "the request, to the pipe of a step",
    "leaderboard_app/log.py": "a filter of the log",
}
# What Streamlit shows as Markdown or HTML; a value in it must have been escaped.
SHOWING = re.compile(
    r"st\.(html|markdown|write|caption|title|header|subheader|text|info|warning|error|success|toast"
    r"|metric|latex|badge|button|expander|exception|json|table|dataframe|iframe)"
    r"|components\.\w+|Markup"
)
ESCAPED = re.compile(
    r"(\w+_html|_asset|guide_page|packed)\(.*\)|''\.join\(\(\w+_html\(.*\)"
    # Built of the above some lines before.
    r"|html|head|packed"
    # Words of our own, numbers, and names, which are of letters, digits and a few signs.
    r"|title|visible\(block\.title\)|BRIEF|CLOSED|n|wanted|moved\[wanted\]|'s' if n > 1 else ''"
    r"|entry\.card\.submission\.division",
    re.DOTALL,
)


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    """Every call of a file with its line and the dotted name of what is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), node


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def uses(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Files with the places in them where something of the pattern is called."""
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        for line, called, _ in calls(path):
            if pattern.fullmatch(called):
                found.setdefault(name_of(path), []).append(f"line {line}: {called}")
    return found


def test_bytes_become_values_at_their_owners_alone():
    found = uses(READERS)
    strangers = {name: places for name, places in found.items() if name not in OWNERS}
    assert strangers == {}, "use harness/files.py; or add an owner, and a door to test_doors.py"


def test_every_owner_still_reads():
    found = uses(READERS)
    assert [name for name in OWNERS if name not in found] == []


def test_text_is_printed_by_its_owner_alone():
    found = uses(PRINTERS)
    strangers = {name: places for name, places in found.items() if name not in PRINTING}
    assert strangers == {}, "print by `tell` or `print_result` of harness/cli/output.py"


def shown_values(node: ast.expr) -> Iterator[str]:
    """The values that are put into what is shown."""
    if isinstance(node, ast.JoinedStr):
        values = (part.value for part in node.values if isinstance(part, ast.FormattedValue))
        yield from (ast.unparse(value) for value in values)
    elif not isinstance(node, ast.Constant):
        yield ast.unparse(node)


def test_pages_show_what_was_escaped_alone():
    found = [
        f"{name_of(path)}, line {line}: {value}"
        for path in SOURCES
        for line, called, call in calls(path)
        if SHOWING.fullmatch(called) and call.args
        for value in shown_values(call.args[0])
        if not ESCAPED.fullmatch(value)
    ]
    unsafe = [
        f"{name_of(path)}, line {line}"
        for path in SOURCES
        for line, _, call in calls(path)
        if any(keyword.arg == "unsafe_allow_html" for keyword in call.keywords)
    ]
    assert (found, unsafe) == ([], [])


@pytest.mark.parametrize(
    "code",
    [
        "print(text)",
        "click.echo(text)",
        "sys.stderr.write(text)",
        "rich.console.Console()",
        "logging.getLogger(name)",
        "warnings.warn(text)",
        "traceback.print_exc()",
    ],
)
def test_a_new_way_to_print_would_be_found(code):
    assert PRINTERS.fullmatch(ast.unparse(ast.parse(code).body[0].value.func))


def test_a_page_that_shows_foreign_text_would_be_found():
    call = ast.parse("st.html(f'<b>{card.title}</b>')").body[0].value
    assert not any(map(ESCAPED.fullmatch, shown_values(call.args[0])))


def test_nothing_is_unpickled():
    found = [
        f"{name_of(path)}, line {line}: {module}"
        for path in SOURCES
        for line, module in imported(path)
        if module.partition(".")[0] in FORBIDDEN
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "yaml.safe_load(text)",
        "json.loads(text)",
        "np.load(path)",
        "h5py.File(path)",
        "zipfile.ZipFile(path)",
        "tarfile.open(path)",
        "ElementTree.fromstring(text)",
        "Card.model_validate_json(text)",
        "zstandard.ZstdDecompressor()",
        "gzip.open(path)",
    ],
)
def test_a_new_reader_would_be_found(code):
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert READERS.fullmatch(ast.unparse(call.func))
