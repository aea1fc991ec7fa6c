"""`harness new`: a submission that scores as it is once its `train.py` has run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.challenge import is_name
from harness.errors import UsageError
from harness.files import replacing_folder

TEMPLATES = Path(__file__).parent / "templates"
TEAM_PLACEHOLDER = "TEAM_NAME"
CHALLENGE_PLACEHOLDER = "CHALLENGE_NAME"


def new_submission(
    team: str, folder: Path, *, open_division: bool = False, challenge: str = "sample"
) -> Path:
    """Write the skeleton of a submission.

    Parameters
    ----------
    team : str
        Lower case letters, digits and ``_+.-``: the name of the new folder.
    folder : Path
        Folder of the submissions; made if it is not there.
    open_division : bool
        A ``score(events)`` in Python in place of a network.
    challenge : str
        What it is trained and scored on.

    Returns
    -------
    Path
        ``folder / team``, with `model.py`, `train.py`, `submission.yaml` and `README.md`.

    Raises
    ------
    UsageError
        The name is not allowed, or the folder exists; nothing was written.
    EnvironmentFaultError
        The folder cannot be written.
    """
    if not is_name(team):
        raise UsageError(
            f"{team[:80]!r} is no name for a team",
            where="TEAM",
            expected="1 to 64 lower case letters, digits and _ + . -, a letter or digit first",
            fix="choose another; the title in submission.yaml may be any text",
        )
    target = folder / team
    if target.exists() or target.is_symlink():
        raise UsageError(
            "is there already",
            where=str(target),
            fix="choose another name, or work on the submission that is there",
        )
    names = {TEAM_PLACEHOLDER: team, CHALLENGE_PLACEHOLDER: challenge}
    _write(names, target, TEMPLATES / ("open" if open_division else "trigger"))
    return target


def _write(names: Mapping[str, str], target: Path, template: Path) -> None:
    with replacing_folder(target) as folder:
        for source in sorted(template.iterdir()):
            if source.is_file():
                text = source.read_text(encoding="utf-8")
                for placeholder, name in names.items():
                    text = text.replace(placeholder, name)
                # `model.py.txt` is no module of the harness; `model.py` would be one.
                (folder / source.stem).write_text(text, encoding="utf-8", newline="\n")
