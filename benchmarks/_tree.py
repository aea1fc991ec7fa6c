"""Memory of a process and of all that it starts, sandboxes too, looked at while they run."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

# Between two looks: a peak that lasts less can be missed, but each process also keeps its own.
_INTERVAL_S = 0.1
_KIB = 1024


class TreeWatch:
    """Watches the processes below one, from their entries in ``/proc``.

    `resource.getrusage` does not see what runs in a sandbox: its processes are children of
    bubblewrap, which is not waited for by name. They are here, as descendants.

    Attributes
    ----------
    peaks : dict of int to int
        Largest resident bytes of each process (``VmHWM``), by its number.
    names : dict of int to str
        What it was.
    private : dict of int to int
        Largest anonymous and shared memory (``RssAnon + RssShmem``) of each that was seen: without
        pages of mapped files, which the kernel takes back when it needs them.
    """

    def __init__(self, root: int) -> None:
        self.peaks: dict[int, int] = {}
        self.private: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self._root = root
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._is_over.set()
        self._thread.join()

    @property
    def largest(self) -> tuple[str, int]:
        """Return the process with the largest resident memory, and its bytes."""
        most = max(self.peaks, key=self.peaks.__getitem__)
        return self.names[most], self.peaks[most]

    @property
    def largest_private(self) -> int:
        """Return the most private bytes of one process."""
        return max(self.private.values())

    def _watch(self) -> None:
        while not self._is_over.is_set():
            self._look()
            time.sleep(_INTERVAL_S)

    def _look(self) -> None:
        for number in below(self._root):
            status = _status(number)
            if "VmHWM" not in status:
                continue
            peak = int(status["VmHWM"].split()[0]) * _KIB
            private = sum(int(status[name].split()[0]) * _KIB for name in ("RssAnon", "RssShmem"))
            self.peaks[number] = max(peak, self.peaks.get(number, 0))
            self.private[number] = max(private, self.private.get(number, 0))
            self.names[number] = status["Name"]


def below(root: int) -> list[int]:
    """Return the numbers of a process and of all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _status(int(entry.name)).get("PPid")):
            children[int(parent)].append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        number = waiting.pop()
        found.append(number)
        waiting += children[number]
    return found


def _status(number: int) -> dict[str, str]:
    """Read the state of a process; nothing if it has ended."""
    try:
        text = Path(f"/proc/{number}/status").read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}
