"""Keras without what it imports for other purposes, and without the collector: half of its start.

Keras looks whether matplotlib, pandas, scikit-learn, IPython and huggingface_hub are there, to draw
models, to wrap estimators, to share files; importing them takes seconds, in every step that holds a
network. While Keras is imported they are said to be missing; afterwards they can be imported as
always. No figure depends on them.

An import makes a million objects that stay. Python's collector of garbage looks through them again
and again while they come, for a fifth of the processor time of the start; it waits until they are
there, and does not look at them afterwards.
"""

from __future__ import annotations

import gc
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType, SimpleNamespace

KERAS = "keras"
OPTIONAL = ("matplotlib", "pandas", "sklearn", "IPython", "huggingface_hub")


class LeanKeras(MetaPathFinder):
    """Finds Keras once, and lets it be imported without `OPTIONAL`."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the contract of a finder
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how Keras is imported; None for anything else."""
        if fullname != KERAS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(KERAS)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_without_optional(module: ModuleType) -> None:
            with missing(OPTIONAL), collector_waits():
                execute(module)

        spec.loader.exec_module = execute_without_optional  # type: ignore[method-assign]
        return spec


@contextmanager
def missing(names: Sequence[str]) -> Iterator[None]:
    """Let imports of `names` fail for a while, as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    # None is what Python itself takes for "known to be missing".
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)


@contextmanager
def collector_waits() -> Iterator[None]:
    """Let no garbage be collected for a while; what is there afterwards counts as lasting."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def import_lean_keras() -> None:
    """Let Keras, when it is imported in this process, leave out what it does not need."""
    sys.meta_path.insert(0, LeanKeras())


def import_whole_keras() -> None:
    """Let Keras be imported as always: code that gives it tables of pandas may need that."""
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, LeanKeras)]


def frames_without_source(module: ModuleType) -> None:
    """Let a module that asks who called it have frames without lines of source files.

    HGQ2 looks for the arguments of each layer in the frame of its constructor. Python reads and
    searches source files for the text around each frame on the stack, which HGQ2 does not look at:
    a sixth of the processor time of an export.
    """
    quick = dict(vars(inspect))
    quick["getouterframes"] = _outer_frames
    module.inspect = SimpleNamespace(**quick)  # type: ignore[attr-defined]


def _outer_frames(
    frame: FrameType | None,
    context: int = 1,  # noqa: ARG001 - that of `inspect.getouterframes`
) -> list[inspect.FrameInfo]:
    """Return what `inspect.getouterframes` does, but for the lines of source."""
    found: list[inspect.FrameInfo] = []
    while frame is not None:
        code = frame.f_code
        about = (frame, code.co_filename, frame.f_lineno, code.co_name, None, None)
        found.append(inspect.FrameInfo(*about))
        frame = frame.f_back
    return found
