"""`harness new-hackathon`: a folder from which a contest of one's own is run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

import harness
from harness.challenge import Challenge, StatedTarget, is_name
from harness.ci.requirement import installed_requirement
from harness.data.manifest import MANIFEST_NAME, Manifest, load_manifest
from harness.errors import UsageError
from harness.files import read_yaml, replacing_folder, schema_text
from harness.scoring.rules_page import rules_page
from harness.submission.skeleton import fill_in, new_submission

TEMPLATES = Path(__file__).parent / "templates"
SCHEMA_NAME = "manifest.schema.json"
STARTER = "starter"
_FOLDERS = ("submissions", "inbox")
_INDENT = "    "
# What differs between the workflows of a contest and those of this project.
WORKFLOW_WORDS = {
    "INSTALL_COMMAND": "sh scripts/install.sh",
    "LOCK_FILE": "requirements.txt",
    "CACHE_NOTE": "",
    "PUBLISHED_PATHS": '"submissions/**", "data_manifest.yaml", "requirements.txt"',
    "FETCH_STEP": """\
      - name: Fetch the data, if the manifest says where they are
        run: .venv/bin/harness fetch
        continue-on-error: true
        env:
          HARNESS_CHALLENGE: ${{ vars.HARNESS_CHALLENGE }}

""",
}


def new_hackathon(
    folder: Path,
    *,
    challenge: str | None = None,
    source: Path | None = None,
    package: str | None = None,
) -> Path:
    """Write the folder of a contest.

    Parameters
    ----------
    folder : Path
        Not there yet, or empty; its name becomes the contest's.
    challenge : str, optional
        The shipped challenge whose data and limits it begins with; of `source`: its default.
    source : Path, optional
        A manifest that is there already, which is copied.
    package : str, optional
        What `pip install` takes, to install harness; else as this one was installed.

    Raises
    ------
    UsageError
        The folder is not empty, or its name or a manifest does not fit; nothing was written.
    """
    target = folder.resolve()
    if target.is_symlink() or (target.exists() and (target.is_file() or any(target.iterdir()))):
        raise UsageError(
            "is not empty", where=str(folder), fix="name a folder that is not there yet"
        )
    manifest = _of_manifest(source, challenge) if source else _of_shipped(target.name, challenge)
    requirement = package or installed_requirement()
    if target.exists():
        target.rmdir()
    with replacing_folder(target) as part:
        _write(part, manifest, requirement)
    return target


def _of_manifest(source: Path, challenge: str | None) -> str:
    own = read_yaml(source, Manifest)
    name = challenge or own.default_challenge or own.challenges[0].name
    own.challenge(name)
    text = source.read_text(encoding="utf-8")
    if own.default_challenge != name:
        text = re.sub(r"^default_challenge:.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(
            r"^(schema:.*\n)", rf"\1default_challenge: {name}\n", text, flags=re.MULTILINE
        )
    if "yaml-language-server" not in text:
        text = f"# yaml-language-server: $schema={SCHEMA_NAME}\n{text}"
    return text


def _of_shipped(name: str, challenge: str | None) -> str:
    if not is_name(name):
        raise UsageError(
            f"{name[:80]!r} is no name for a contest",
            where="DIR",
            expected="1 to 64 lower case letters, digits and _ + . -, a letter or digit first",
            fix="call the folder otherwise; the title in the manifest may be any text",
        )
    rules = load_manifest().challenge(challenge)
    template = (TEMPLATES / "hackathon" / MANIFEST_NAME).read_text(encoding="utf-8")
    return fill_in(template, {"CONTEST_NAME": name, **_sections(rules)})


def _sections(rules: Challenge) -> dict[str, str]:
    """Return the sections of a manifest that a contest takes over from a challenge."""
    said = rules.model_dump(mode="json", exclude_defaults=True)
    if rules.merit is not None:
        # The kind is a default of each, and that by which one knows which is which.
        said["merit"]["kind"] = rules.merit.kind
    of_events = ("layout", "preselection", "menu", "algorithms", "conditions")
    events = {name: said[name] for name in of_events if name in said}
    rates = {
        name: said[name]
        for name in ("false_positive_rates", "working_point", "merit")
        if name in said
    }
    return {
        "IS_SYNTHETIC": json.dumps(rules.synthetic),
        "LICENCE": json.dumps(rules.licence),
        "LAYOUT_BLOCK": _block(events),
        "FILES_BLOCK": _block({"files": said["files"]}),
        "SPLIT_BLOCK": _block({"split": said["split"]}),
        "RATES_BLOCK": _block(rates),
        "TARGETS_BLOCK": _block({"targets": [_target(one) for one in rules.targets]}),
    }


def _target(stated: StatedTarget) -> dict[str, object]:
    kind = stated.limits.kind
    limits = stated.limits.model_dump(mode="json", exclude_none=True)
    gate = {"gate": True} if stated.gate else {}
    return {"name": stated.name, "kind": kind, **gate, **limits}


def _block(value: object) -> str:
    text = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, width=96, default_flow_style=None
    )
    return "".join(f"{_INDENT}{line}\n" for line in text.splitlines()).rstrip("\n")


def _write(folder: Path, manifest: str, requirement: str) -> None:
    _put(folder / MANIFEST_NAME, manifest)
    rules = read_yaml(folder / MANIFEST_NAME, Manifest).challenge(None)
    words = {"CONTEST_NAME": rules.name, "HARNESS_VERSION": harness.__version__}
    template = TEMPLATES / "hackathon"
    for path in sorted(template.rglob("*")):
        name = str(path.relative_to(template)).replace("gitignore", ".gitignore")
        if path.is_file() and name != MANIFEST_NAME:
            _put(folder / name, fill_in(path.read_text(encoding="utf-8"), words))
    for name, text in workflows(WORKFLOW_WORDS).items():
        _put(folder / ".github" / "workflows" / name, text)
    _put(folder / SCHEMA_NAME, schema_text(Manifest))
    _put(folder / "RULES.md", rules_page(rules))
    _put(folder / "requirements.txt", f"{requirement}\n")
    for name in _FOLDERS:
        _put(folder / name / ".gitkeep", "")
    new_submission(STARTER, folder, rules)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def workflows(words: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each workflow by its file name; this project's own are made by it, too."""
    files = sorted((TEMPLATES / "workflows").glob("*.yml"))
    return {path.name: fill_in(path.read_text(encoding="utf-8"), words) for path in files}
