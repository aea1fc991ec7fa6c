"""`harness data import`: files of a challenge from tables of any kind, and rules to begin with."""

from __future__ import annotations

import math
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

import harness
from harness.challenge import RESOURCE_TITLES, Fraction, Split, fpr_text, is_name
from harness.data.importing import ImportedEvents, ImportedProcess, ImportRequest, import_events
from harness.data.manifest import MANIFEST_NAME, load_manifest
from harness.errors import UsageError
from harness.files import Progress, no_progress, replacing_folder, write_whole
from harness.firmware.parts import find_part
from harness.metrics.working_point import LOW_STATISTICS, count_allowed

TEMPLATE = Path(harness.__file__).parent / "data" / "files" / "own_manifest.yaml.txt"
DEFAULT_PART = "xcvu9p-flga2104-2-e"
# Shares of the background, as in arXiv:2108.03986.
TRAIN, VALIDATION, TEST = 0.5, 0.1, 0.4
# Working points to choose from, smallest first.
_RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnRules:
    """What the manifest says beside the events.

    Attributes
    ----------
    name : str
        Of the challenge.
    title, licence : str
        As printed; an empty title is the name.
    part : str
        FPGA of the target.
    key : str
        Of the split; empty: drawn at random.
    """

    name: str
    title: str = ""
    description: str = ""
    licence: str = "to be stated"
    synthetic: bool = False
    part: str = DEFAULT_PART
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedChallenge:
    """What `import_challenge` wrote.

    Attributes
    ----------
    n_allowed : int
        Background events that may pass at the working point, if the test part has as many events
        as it is expected to have at least.
    is_ranked : bool
        Whether that is enough for a ranking.
    todo : tuple of str
        Commands that come next.
    """

    challenge: str
    folder: Path
    manifest: Path
    events: ImportedEvents
    working_point: float
    n_allowed: int
    is_ranked: bool
    todo: tuple[str, ...]


def import_challenge(
    request: ImportRequest, rules: OwnRules, folder: Path, *, progress: Progress = no_progress
) -> ImportedChallenge:
    """Write the files of a challenge and its manifest into a new folder.

    Raises
    ------
    UsageError
        The name is not allowed, the folder is there, or something that is named is not.
    DataError
        A table is broken, or does not fit the others; nothing was written.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    if not is_name(rules.name):
        raise UsageError(
            f"{rules.name[:80]!r} is no name for a challenge",
            expected="lower case letters, digits and _ + . -, a letter or digit first",
        )
    if folder.exists():
        raise UsageError("is there already", where=str(folder), fix="name another folder by --out")
    find_part(rules.part)
    with replacing_folder(folder) as part:
        events = import_events(request, part, progress=progress)
        point, n_allowed = choose_working_point(events.processes[0].n_events, TEST)
        text = manifest_text(rules, events, point, n_allowed)
        load_manifest(write_whole(part / MANIFEST_NAME, text.encode()))
    manifest = folder / MANIFEST_NAME
    return ImportedChallenge(
        challenge=rules.name,
        folder=folder,
        manifest=manifest,
        events=events,
        working_point=point,
        n_allowed=n_allowed,
        is_ranked=n_allowed >= LOW_STATISTICS,
        todo=_todo(rules.name, folder, manifest),
    )


def choose_working_point(n_background: int, test: Fraction) -> tuple[float, int]:
    """Return the smallest FPR at which enough background events may pass, and how many.

    Parameters
    ----------
    n_background : int
        Events of all parts. The test part of a hashed split fluctuates, by sqrt(N p q); three
        standard deviations fewer than expected are counted on.

    Examples
    --------
    >>> choose_working_point(4_000_000, 0.4), choose_working_point(4000, 0.4)
    ((1e-05, 15), (0.01, 15))
    >>> choose_working_point(100, 0.4)  # too few for any
    (0.1, 2)
    """
    spread = 3 * math.sqrt(n_background * test * (1 - test))
    n_test = max(0, int(n_background * test - spread))
    for fpr in _RATES:
        if (n_allowed := count_allowed(fpr, n_test)) >= LOW_STATISTICS:
            return fpr, n_allowed
    return _RATES[-1], count_allowed(_RATES[-1], n_test)


def manifest_text(rules: OwnRules, events: ImportedEvents, point: float, n_allowed: int) -> str:
    """Write the manifest, with comments."""
    layout = events.layout
    split = Split(
        key=rules.key or secrets.token_hex(16), train=TRAIN, validation=VALIDATION, test=TEST
    )
    available = find_part(rules.part).available
    values: Mapping[str, object] = {
        "NAME": rules.name,
        "TITLE": rules.title or rules.name,
        "DESCRIPTION": rules.description,
        "SYNTHETIC": rules.synthetic,
        "LICENCE": rules.licence,
        "N_OBJECTS": layout.n_objects,
        "N_FEATURES": len(layout.features),
        "OBJECTS": [group.model_dump() for group in layout.objects],
        "FEATURES": list(layout.features),
        "SPLIT": split.model_dump(),
        "SEED": secrets.randbelow(2**31),
        "RATES": [fpr for fpr in _RATES if point <= fpr <= 1000 * point],
        "POINT": point,
        "PART": rules.part,
        "BUDGET": {name: available[name] for name in RESOURCE_TITLES},
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", flow(value))
    is_by_pt = "pt" in layout.features
    filled = "pt is 0" if is_by_pt else "features are all 0"
    files = "\n".join(f"      - {flow(_file(one))}" for one in events.processes)
    comment = "\n".join(f"    # {line}" for line in _about_point(point, n_allowed))
    return (
        text.replace("@FILLED_BY@", filled)
        .replace("@FILES@", files)
        .replace("@POINT_COMMENT@", comment)
    )


def flow(value: object) -> str:
    """Write a value of YAML in one line.

    Examples
    --------
    >>> flow({"a": 1e-05, "b": "x: y"})
    "{a: 1.0e-05, b: 'x: y'}"
    """
    text = yaml.safe_dump(
        [value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text.strip().removeprefix("[").removesuffix("]")


def _file(one: ImportedProcess) -> dict[str, object]:
    return {
        "name": one.name,
        "role": one.role,
        "process": one.process,
        "title": one.title,
        "checksum": one.checksum,
        "n_events": one.n_events,
    }


def _about_point(point: float, n_allowed: int) -> tuple[str, str]:
    """Say in two lines of a comment how many background events may pass."""
    if n_allowed < LOW_STATISTICS:
        first = f"TOO FEW BACKGROUND EVENTS: at FPR {fpr_text(point)} only {n_allowed} of the test"
        return first, f"part may pass; {LOW_STATISTICS} are needed. Nobody is ranked without more."
    first = f"At FPR {fpr_text(point)} at least {n_allowed} background events of the test part may"
    return first, f"pass; with fewer than {LOW_STATISTICS} nobody is ranked."


def _todo(name: str, folder: Path, manifest: Path) -> tuple[str, ...]:
    of = f"--manifest {shlex.quote(str(manifest))}"
    contest = shlex.quote(f"{folder.resolve().name}-contest")
    return (
        f"harness fetch {name} {of} --from {shlex.quote(str(folder))}",
        f"harness data check {name} {of}",
        f"harness new my_team --challenge {name} {of}",
        f"harness score submissions/my_team --challenge {name} {of}",
        f"harness leaderboard --challenge {name} {of}",
        f"harness new-hackathon {contest} --from {shlex.quote(str(manifest))}",
    )
