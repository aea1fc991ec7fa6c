"""Steps that start before their turn: they import their libraries while another step works.

Most of a step that holds a network is the import of TensorFlow and Keras. On two cores the next
step can import while the plugin is exported. One step at a time does so, in the order in which
they are needed, so that the step that works keeps its core.

An early start only saves time. A step that cannot be started so, or that the machine ended while it
waited, is started at its turn; so are all while the machine is short of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from harness.errors import EnvironmentFaultError
from harness.sandbox import EarlyStep
from harness.sandbox.step import GIB

# A step that waits has 0.2 GiB of its own and 0.4 GiB that all such steps share; the one that works
# may take more.
LEAST_FREE_BYTES = 2 * GIB

StartEarly = Callable[[], AbstractContextManager[EarlyStep]]


def has_room(least_bytes: int = LEAST_FREE_BYTES) -> bool:
    """Whether the machine has memory for one more step: as given, for one that only waits."""
    import psutil

    return int(psutil.virtual_memory().available) >= least_bytes


@dataclass(kw_only=True, slots=True)
class EarlySteps:
    """The steps of one scoring that are started early.

    They end with the thread that calls `advance`, which must be the one that goes on to the end.

    Attributes
    ----------
    stack : ExitStack
        Ends what is started.
    planned : dict of str to callable
        What starts each step that is not started yet, in the order in which they are needed.
    has_room : callable
        Whether one more may wait now.
    """

    stack: ExitStack
    planned: dict[str, StartEarly] = field(default_factory=dict)
    has_room: Callable[[], bool] = has_room
    _started: dict[str, EarlyStep] = field(default_factory=dict)

    def advance(self) -> None:
        """Start the next step if those before it are ready for their request, and it has room."""
        is_next = self.planned and all(step.is_warm for step in self._started.values())
        if is_next and self.has_room():
            name = next(iter(self.planned))
            try:
                self._started[name] = self.stack.enter_context(self.planned.pop(name)())
            except (EnvironmentFaultError, OSError):
                # The machine has no room for one more process: none of the others fits either.
                self.planned.clear()

    def take(self, name: str) -> EarlyStep | None:
        """Return a step that was started and waits, once; None for others, which now never are."""
        self.planned.pop(name, None)
        step = self._started.pop(name, None)
        return None if step is None or step.has_ended else step
