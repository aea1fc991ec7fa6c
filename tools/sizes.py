"""The baselines that are one model in several sizes: write their folders from one recipe.

python -m tools.sizes            write what is not as the recipe says; weights stay as they are
python -m tools.sizes --check    say which files are not current; exit code 1 if any is not

The recipe is the base folders and `submissions/_kit/sizes.yaml`. Each folder that it makes is a
whole submission to read and to copy: it holds a `model.py` and a `train.py` of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import yaml

from tools.pages import ROOT, asks_for_check, write_or_check

SUBMISSIONS = ROOT / "submissions"
# Another model, trained by the same `train.py`.
SAME_TRAINING = {"dense_vae_rz": "dense_vae_klz"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How one size differs from its base.

    Attributes
    ----------
    base : str
        Folder of the model.
    training : str
        Folder of the `train.py`, where it is another one than the base's.
    title, description : str
        In place of the base's.
    size : str
        The text of `size.json`.
    signals_seen : str
        What its authors looked at beyond what the base declares; ends its `training_data`.
    """

    base: str
    title: str
    description: str
    size: str
    training: str = ""
    signals_seen: str = ""


def read_sizes(submissions: Path = SUBMISSIONS) -> dict[str, Size]:
    """Return the sizes by team, in the order of the table."""
    table = yaml.safe_load(_read(submissions / "_kit" / "sizes.yaml"))
    return {team: Size(**fields) for team, fields in table.items()}


def recipe_files(submissions: Path = SUBMISSIONS) -> dict[Path, str]:
    """Return the text of every file that the recipe makes."""
    files = {}
    for team, size in read_sizes(submissions).items():
        for name, text in _folder(team, size, submissions):
            files[submissions / team / name] = text
    for team, other in SAME_TRAINING.items():
        files[submissions / team / "train.py"] = _read(submissions / other / "train.py")
    return files


def _folder(team: str, size: Size, submissions: Path) -> Iterator[tuple[str, str]]:
    base = submissions / size.base
    yield "model.py", _read(base / "model.py")
    yield "train.py", _read(submissions / (size.training or size.base) / "train.py")
    yield "size.json", f"{size.size}\n"
    yield "submission.yaml", declare(team, size, _read(base / "submission.yaml"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def declare(team: str, size: Size, base: str) -> str:
    """Return the `submission.yaml` of a size, given that of its base."""
    fields = {
        r"^team: .*\n": f"team: {team}\n",
        r"^title: .*\n": f'title: "{size.title}"\n',
        r"^description: >\n(  .*\n)+": f"description: >\n{indent(size.description, '  ')}",
    }
    if size.signals_seen:
        fields[r"\ntrained_on:"] = f" {indent(size.signals_seen, '  ').strip()}\ntrained_on:"
    for pattern, field in fields.items():
        base = re.sub(pattern, field.replace("\\", "\\\\"), base, flags=re.MULTILINE)
    return base


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files of the recipe, or check them."""
    is_check = asks_for_check(__doc__, arguments)
    return write_or_check(recipe_files(), is_check=is_check)


if __name__ == "__main__":
    sys.exit(main())
