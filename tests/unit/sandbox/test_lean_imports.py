"""Keras is imported without what it looks for but does not need, in steps of the harness's own."""

from __future__ import annotations

import gc
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import harness
from harness.sandbox.lean_imports import collector_waits, frames_without_source, missing

LOOKS = """\
try:
    import pandas
except ImportError:
    pandas = None
"""
PROGRAM = """\
import sys
sys.path.insert(0, {stand_ins!r})
from harness.sandbox.lean_imports import import_lean_keras, import_whole_keras
import_lean_keras()
{before}
import keras
print(keras.pandas is not None, end=" ")
import pandas
print(pandas.NAME, keras.__name__, keras.__spec__.name)
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """Packages called keras and pandas, of one line each: the real ones take seconds."""
    for name, text in {"keras": LOOKS, "pandas": "NAME = 'pandas'\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    return tmp_path


def run(stand_ins: Path, before: str = "") -> str:
    """Run the program in a process of its own; return what it printed."""
    program = PROGRAM.format(stand_ins=str(stand_ins), before=before)
    root = Path(harness.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    ).stdout


def test_keras_does_not_see_pandas_which_can_be_imported_afterwards(stand_ins: Path) -> None:
    assert run(stand_ins) == "False pandas keras keras\n"


def test_whole_keras_sees_it(stand_ins: Path) -> None:
    assert run(stand_ins, "import_whole_keras()") == "True pandas keras keras\n"


def test_what_is_imported_already_stays(stand_ins: Path) -> None:
    assert run(stand_ins, "import pandas") == "True pandas keras keras\n"


@pytest.mark.parametrize(("division", "sees"), [("trigger", "False"), ("open", "True")])
def test_code_of_the_open_division_sees_it(stand_ins: Path, division: str, sees: str) -> None:
    (stand_ins / "model.py").write_text("import keras\n")
    before = "from pathlib import Path\nfrom harness.submission.plugin import load_plugin\n"
    before += f"load_plugin(Path({str(stand_ins)!r}), {division!r})"
    assert run(stand_ins, before).split()[0] == sees


def test_nothing_stays_hidden_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(ModuleNotFoundError), missing(["colorsys"]):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys")


def test_the_collector_waits_for_keras_and_is_back_afterwards(stand_ins: Path) -> None:
    (stand_ins / "keras" / "__init__.py").write_text("import gc\npandas = gc.isenabled() or None\n")
    before = "import gc"
    program = PROGRAM.format(stand_ins=str(stand_ins), before=before)
    program += "print(gc.isenabled(), gc.get_freeze_count() > 0)"
    root = Path(harness.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.splitlines() == ["False pandas keras keras", "True True"]


@pytest.fixture
def collector() -> Iterator[None]:
    """Leaves the collector of this process as it was."""
    yield
    gc.enable()
    gc.unfreeze()


def test_the_collector_is_back_after_a_fault_and_stays_off_where_it_was(collector: None) -> None:
    with pytest.raises(ModuleNotFoundError), collector_waits():
        importlib.import_module("no_such_module")
    assert gc.isenabled()

    gc.disable()
    with collector_waits():
        pass
    assert not gc.isenabled()


def test_frames_without_source_are_the_same_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("asks")
    module.inspect = inspect  # type: ignore[attr-defined]
    frames_without_source(module)
    monkeypatch.setattr(inspect, "findsource", lambda _: pytest.fail("source is read"))

    def ask(asked: ModuleType) -> list[inspect.FrameInfo]:
        return asked.getouterframes(inspect.currentframe(), 0)

    quick, plain = ask(module.inspect), ask(inspect)  # type: ignore[attr-defined]

    about = [(one.filename, one.function) for one in plain]
    assert [(one.filename, one.function) for one in quick] == about
    assert [one.frame for one in quick[1:]] == [one.frame for one in plain[1:]]
    assert quick[0].frame.f_locals["asked"] is module.inspect  # type: ignore[attr-defined]
    # What else the module asks for is as it was, and nobody else has other frames.
    assert module.inspect.signature is inspect.signature  # type: ignore[attr-defined]
    assert inspect.getouterframes.__module__ == "inspect"
