"""Whether handed-in reports are of the submission's design: its ports, words, layers and weights.

A difference is refused. What cannot be compared is named, and such reports are not ranked.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.challenge import Value
from harness.errors import InvalidSubmissionError
from harness.firmware.artefacts import decompress, pack
from harness.firmware.backend import Text
from harness.firmware.reports.csynth import Csynth
from harness.firmware.reports.source import Source
from harness.firmware.tools import Files, Report, Request, build_folder
from harness.firmware.translate.hls4ml_project import PROJECT
from harness.sandbox.workspace import Workspace

PORTS = "number and widths of its inputs"
CODE = "words, reuse factor and weights of its layers"
_DEFINES, _PARAMETERS = "defines.h", "parameters.h"
_WORD = re.compile(r"\b(ap_u?(?:fixed|int)<[^>]*>)")
# What a layer computes and how; the other constants of hls4ml's layers follow from these.
_CONSTANT = re.compile(
    r"\b(n_in|n_out|n_chan|n_filt|filt_height|filt_width|in_height|in_width|stride_height"
    r"|stride_width|strategy|reuse_factor|io_type|n_zeros)\s*=\s*([\w:]+)\s*;"
)
# hls4ml writes the values of an array within braces.
_VALUES = re.compile(r"\{([^{}]*)\}")


class CodeDifference(Value):
    """The first difference of the C++ beside the reports from the submission's; empty if none."""

    found: Text = ""
    expected: Text = ""


def check_ports(csynth: Csynth, n_inputs: int) -> bool:
    """Compare the ports of the top function with the network's inputs and its one score.

    Parameters
    ----------
    n_inputs : int
        Values of an event that the network takes.

    Returns
    -------
    bool
        Whether the report lists ports, so that they could be compared.

    Raises
    ------
    InvalidSubmissionError
        They are another network's.
    """
    if not csynth.input_bits or not csynth.output_bits:
        return False
    n_ports, n_bits = len(csynth.input_bits), sum(csynth.input_bits)
    # hls4ml gives each input a port, or all of them one of as many equal words.
    is_like = n_ports == n_inputs or (n_ports == 1 and n_bits % n_inputs == 0)
    if not is_like:
        found = f"{n_ports} inputs" if n_ports > 1 else f"one input of {n_bits} bits"
        raise _another(f"the design has {found}", f"the network's {n_inputs} inputs")
    if len(csynth.output_bits) > 1:
        raise _another(f"the design has {len(csynth.output_bits)} outputs", "one score")
    return True


def check_code(sources: Mapping[str, Path], project: Path, workspace: Workspace) -> bool:
    """Compare hls4ml's C++ beside the reports with that of the submission.

    Names differ with those of the layers, so what is compared is the sequence of all words, of the
    constants of all layers, and of the values of all weights.

    Parameters
    ----------
    sources : mapping of str to Path
        The files of the folder ``firmware`` that was handed in.
    project : Path
        The project that was made here, as it is kept.

    Returns
    -------
    bool
        Whether the files are there, so that they could be compared.

    Raises
    ------
    InvalidSubmissionError
        They differ; the message shows the first difference.
    """
    if not {_DEFINES, _PARAMETERS} <= set(sources):
        return False
    packed = workspace.new_folder("sources") / "sources.tar"
    pack(packed, [(path, name) for name, path in sources.items()])
    found = workspace.run(
        "firmware-code",
        "harness.firmware.reports.design:find_difference",
        CodeDifference,
        inputs={"found": packed, "own": project},
    ).report
    if found.found:
        raise _another(f"in the C++ beside the reports, {found.found}", found.expected)
    return True


def _another(what: str, expected: str) -> InvalidSubmissionError:
    return Source("reports").refusal(
        what,
        f"{expected}, as of the network that is submitted",
        "synthesise the project that `harness synth --export FOLDER` writes",
    )


# --- The step -------------------------------------------------------------------------------------


def find_difference(_: Request, inputs: Files, __: Files) -> Report:
    """Find the first difference of two projects' C++ (entry of a step).

    Inputs: ``found`` (tar of the folder ``firmware``), ``own`` (compressed tar of a project).
    """
    with build_folder("code") as folder:
        own = decompress(inputs["own"], folder / "own.tar")
        ours = _content(own, f"{PROJECT}/firmware/")
        theirs = _content(inputs["found"], "")
    for what, one, other in zip(("word", "constant", "weight"), ours, theirs, strict=True):
        if one != other:
            return dict(
                zip(("expected", "found"), _first_difference(what, one, other), strict=True)
            )
    return {}


def _content(archive: Path, folder: str) -> tuple[list[str], list[str], list[str]]:
    """Return all words, constants of layers and values of weights of a project, in order."""
    with tarfile.open(archive) as opened:
        texts = {
            entry.name.removeprefix(folder): _text(opened, entry)
            for entry in opened.getmembers()
            if entry.isfile() and entry.name.startswith(folder) and entry.name.endswith(".h")
        }
    words = [re.sub(r"\s", "", word) for word in _WORD.findall(texts.get(_DEFINES, ""))]
    constants = [
        f"{name} = {value}" for name, value in _CONSTANT.findall(texts.get(_PARAMETERS, ""))
    ]
    # w3.h comes before w10.h.
    weights = sorted(
        (name for name in texts if name.startswith("weights/")),
        key=lambda name: ([int(digits) for digits in re.findall(r"\d+", name)], name),
    )
    return words, constants, [value for name in weights for value in _numbers(texts[name])]


def _text(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    stream = archive.extractfile(entry)
    return "" if stream is None else stream.read().decode("utf-8", errors="replace")


def _numbers(text: str) -> Iterator[str]:
    """Yield the values of an array; it follows the macro that leaves it out of a simulation."""
    for block in _VALUES.findall(text.rpartition("#else")[2] or text):
        yield from (_number(value.strip()) for value in block.split(",") if value.strip())


def _number(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text[:40]


def _first_difference(what: str, ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    """Say what the first difference of two sequences is: what it should be, and what it is."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    first = next((i for i, (one, other) in pairs if one != other), None)
    if first is None:
        return f"{len(ours):,} {what}s", f"there are {len(theirs):,} {what}s"
    return ours[first], f"{what} {first + 1} of {len(theirs):,} is {theirs[first]}"
