"""The victims: what an attacker would like to read, change, reach or outlive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES = (
    "cache/events.npy",
    "cache/labels.json",
    "submissions/others/model.py",
    "submissions/others/weights.h5",
    "results/adc2021/others/card.json",
    "home/.ssh/id_ed25519",
)
SECRET_VARIABLE = "HARNESS_TEST_SECRET"


@dataclass(frozen=True, kw_only=True)
class World:
    """The victims, and how to see whether one was harmed.

    Attributes
    ----------
    secret : str
        Stands in every victim's file and in the environment of the scorer.
    marker : str
        Name that an attack gives to a process that is to outlive it.
    """

    folder: Path
    secret: str
    marker: str
    tcp_port: int
    unix_path: str
    abstract_name: str
    digest: str

    def request(self) -> dict[str, object]:
        """Return what the attacker is told: everything."""
        return {
            "secret": self.secret,
            "marker": self.marker,
            "folder": str(self.folder),
            "events": str(self.folder / "cache/events.npy"),
            "labels": str(self.folder / "cache/labels.json"),
            "others": str(self.folder / "submissions/others"),
            "results": str(self.folder / "results"),
            "home": str(self.folder / "home"),
            "parent": os.getpid(),
            "tcp_port": self.tcp_port,
            "unix_path": self.unix_path,
            "abstract_name": self.abstract_name,
        }

    def is_untouched(self) -> bool:
        """Whether every victim's file is as it was, and none was added."""
        return folder_digest(self.folder) == self.digest

    def survivors(self) -> list[int]:
        """Return the processes on this machine that bear the marker."""
        return [pid for pid in _pids() if self._is_marked(pid) and not _is_zombie(pid)]

    def _is_marked(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/comm").read_text().strip() == self.marker
        return False

    def end_survivors(self) -> None:
        """Kill what a control left behind, and wait until it is gone."""
        while alive := self.survivors():
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _pids() -> Iterator[int]:
    return (int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit())


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def folder_digest(folder: Path) -> str:
    """Return a digest of all names, modes and contents below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found = path.lstat()
        digest.update(f"{path.relative_to(folder)} {found.st_mode}\n".encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Make victims in `folder`, with services that listen, and stop them on leaving."""
    secret = secrets.token_hex(16)
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"secret = {secret!r}\n")
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract_name = f"harness-{secret[:8]}"
        abstract.bind(f"\0{abstract_name}")
        abstract.listen()
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix_path = str(folder / "service")
        unix.bind(unix_path)
        unix.listen()
        os.environ[SECRET_VARIABLE] = secret
        stack.callback(os.environ.pop, SECRET_VARIABLE, None)
        world = World(
            folder=folder,
            secret=secret,
            marker=f"hx{secret[:12]}",
            tcp_port=tcp.getsockname()[1],
            unix_path=unix_path,
            abstract_name=abstract_name,
            digest=folder_digest(folder),
        )
        stack.callback(world.end_survivors)
        yield world
