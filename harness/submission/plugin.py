"""Import of a participant's `model.py`; called in a sandbox only."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from harness.card.text import plain
from harness.errors import HarnessError, InvalidSubmissionError, SubmissionError
from harness.sandbox.lean_imports import import_whole_keras

if TYPE_CHECKING:
    from harness.submission.packages import Division

MAX_MESSAGE = 600
MAX_TRACEBACK_LINES = 30
# What Keras writes of a variable: its name and shape are kept, its values are not.
_VALUES = re.compile(r"(<(?:tf\.)?Variable\b[^<>]*?),? (?:value|numpy)=[^>]*>?")


def load_plugin(folder: Path, division: Division = "trigger") -> ModuleType:
    """Import `model.py` of a submission, with its folder on the path and as working directory.

    Parameters
    ----------
    folder : Path
        The submission.
    division : str
        For advice about packages.

    Returns
    -------
    ModuleType
        The imported module.

    Raises
    ------
    InvalidSubmissionError
        There is no `model.py`, or it is not Python.
    SubmissionError
        It failed while it was imported; the message holds the participant's own frames.
    """
    path = folder / "model.py"
    spec = importlib.util.spec_from_file_location("model", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InvalidSubmissionError(
            "no such file", where="model.py", fix="run `harness new` for a skeleton"
        )
    if division == "open":
        import_whole_keras()
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    os.chdir(folder)
    with blamed_on_submission(folder, "while model.py was imported", division):
        spec.loader.exec_module(module)
    return module


def find_function(module: ModuleType, name: str) -> Callable[..., object]:
    """Return the function `name` of a plugin.

    Raises
    ------
    InvalidSubmissionError
        The plugin has no such function.
    """
    function = getattr(module, name, None)
    if callable(function):
        return function  # type: ignore[no-any-return]
    what = f"has no function {name}" if function is None else f"{name} is no function"
    raise InvalidSubmissionError(
        what,
        where="model.py",
        expected="network() -> keras.Model in the trigger division, score(events) in the open",
        fix="define it, or set the division in submission.yaml",
    )


@contextmanager
def blamed_on_submission(folder: Path, when: str, division: Division = "trigger") -> Iterator[None]:
    """Turn whatever a participant's code raises into a failure of the submission.

    Parameters
    ----------
    folder : Path
        The submission; only frames of its files are shown.
    when : str
        What was being done, for the message.
    division : str
        For advice about packages.
    """
    try:
        yield
    except HarnessError:
        raise
    except SyntaxError as error:
        where = Path(error.filename or "model.py").name
        raise InvalidSubmissionError(
            f"syntax error: {error.msg}",
            where=f"{where}, line {error.lineno}",
            expected="Python that this interpreter reads",
            fix="correct the line; `harness validate` finds it without a run",
        ) from error
    except SystemExit as error:
        raise SubmissionError(
            f"called sys.exit({str(error.code)[:40]}) {when}",
            where=_last_place(error, folder),
            fix="leave sys.exit out, or put it under `if __name__ == '__main__':`",
        ) from error
    except BaseException as error:
        from harness.submission.advice import advise

        # Not Exception alone: a plugin may raise what derives from BaseException only.
        raise SubmissionError(
            f"{type(error).__name__} {when}: {message_of(error)}",
            where=_last_place(error, folder),
            fix="; ".join(filter(None, (advise(error, division), _own_frames(error, folder)))),
        ) from error


def message_of(error: BaseException) -> str:
    """Return what an exception says, cut to a few lines.

    The colours of a terminal are left out, and the values of Keras's variables.
    """
    return _VALUES.sub(r"\1>", plain(str(error)))[:MAX_MESSAGE]


def _frames_in(error: BaseException, folder: Path) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]


def _last_place(error: BaseException, folder: Path) -> str:
    frames = _frames_in(error, folder)
    if not frames:
        return "model.py"
    return f"{Path(frames[-1].filename).relative_to(folder)}, line {frames[-1].lineno}"


def _own_frames(error: BaseException, folder: Path) -> str:
    lines = [
        f"{Path(frame.filename).relative_to(folder)}:{frame.lineno} in {frame.name}: {frame.line}"
        for frame in _frames_in(error, folder)
    ]
    if not lines:
        return ""
    return "see " + "; ".join(lines[-MAX_TRACEBACK_LINES:])
