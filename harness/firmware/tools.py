"""The external programs of a step: where they are, how they are run, what their failure means.

Everything here but `system_tools` runs inside a step. What fails for want of a tool, of disk space
or of time is no fault of the submission.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from harness.errors import EnvironmentFaultError, HarnessError, LimitError, install_extra

# What the entry of a step receives and returns.
Request: TypeAlias = Mapping[str, Any]
Files: TypeAlias = Mapping[str, Path]
Report: TypeAlias = dict[str, Any]

EXTRA = install_extra("firmware")
# Packages without which no network becomes firmware.
_TRANSLATORS = ("da4ml", "hls4ml")
# Signals by which the kernel or a person ends a program that uses too much.
_KILLED = (-9, 137)
_LOG_TAIL = 1500
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+@=-]+\Z")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Folders that hold a C++ compiler, make and perl on Linux; their links point within them.
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives")


def require_extra() -> None:
    """Say at once, before anything that takes long, that no firmware can be made here.

    Raises
    ------
    EnvironmentFaultError
        The extra `firmware` is not installed.
    """
    missing = [name for name in _TRANSLATORS if find_spec(name) is None]
    if missing:
        raise EnvironmentFaultError(
            f"firmware needs {' and '.join(missing)}, which is not installed",
            expected="the extra `firmware`",
            fix=f"{EXTRA}; or score without firmware: --no-firmware or --quick",
        )


def system_tools() -> tuple[Path, ...]:
    """Return the host folders that a step needs for its compiler and its netlist tools."""
    folders = [Path(folder) for folder in SYSTEM_FOLDERS]
    native = [shutil.which(name) for name in ("yosys", "verilator", "g++", "make")]
    homes = [Path(os.path.realpath(path)).parent.parent for path in native if path]
    return tuple(path for path in dict.fromkeys([*folders, *homes]) if path.exists())


@contextmanager
def disk_faults() -> Iterator[None]:
    """Raise what a full disk causes as a fault of the machine; decorates the entry of a step."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise no_space(str(error)) from error
        raise


def no_space(detail: str) -> EnvironmentFaultError:
    """Say that a build ran out of disk space."""
    return EnvironmentFaultError(
        f"no space left for the build: {detail.strip()[-300:]}",
        expected="room for the build in the step's scratch folder",
        fix="free disk space, or raise scratch_bytes of the firmware settings",
    )


def not_found(
    what: str, expected: str, *, fix: str = EXTRA, where: str = ""
) -> EnvironmentFaultError:
    """Say that a program or package is missing, and how to install it."""
    return EnvironmentFaultError(f"{what} was not found", where=where, expected=expected, fix=fix)


def require_package(*names: str) -> None:
    """Make sure that Python packages are installed.

    Raises
    ------
    EnvironmentFaultError
        It names the extra to install.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise not_found(f"the package {', '.join(missing)}", "the extra `firmware`")


@contextmanager
def build_folder(name: str) -> Iterator[Path]:
    """Give a folder to build in, below the step's scratch folder, and remove it afterwards.

    ABC and make fail below a path with spaces and the like; then it lies in the system's own
    folder.
    """
    scratch = os.environ.get("TMPDIR", tempfile.gettempdir())
    parent = scratch if _SAFE_PATH.match(scratch) else "/tmp"  # noqa: S108 the folder in it is new
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=parent) as folder:
        yield Path(folder)


def safe_path(path: str | Path, folder: Path) -> str:
    """Return a path that shells and makefiles read as it stands: itself, or a link to it.

    Parameters
    ----------
    path : str or Path
        Such as a folder of packages in a clone below ``/home/ada/My code (2)``.
    folder : Path
        The build folder, in which a link is laid.

    Examples
    --------
    >>> safe_path("/usr/bin/g++", Path("/tmp"))
    '/usr/bin/g++'
    """
    if _SAFE_PATH.match(str(path)):
        return str(path)
    link = Path(tempfile.mkdtemp(prefix="link-", dir=folder)) / "it"
    link.symlink_to(path)
    return str(link)


def compiler() -> str:
    """Return the C++ compiler.

    Raises
    ------
    EnvironmentFaultError
        There is none.
    """
    found = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if found is None:
        fix = "apt-get install g++ (the firmware is simulated as compiled C++)"
        raise not_found("a C++ compiler", "g++ on PATH", fix=fix)
    return found


def run_tool(
    command: Sequence[str | Path],
    *,
    name: str,
    folder: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it printed (both streams).

    Raises
    ------
    EnvironmentFaultError
        It is missing, failed, or ran out of disk space.
    LimitError
        It was killed, or ran out of time.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            # Tools keep their own temporary files beside the build.
            env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LimitError(
            f"{name} did not end within {timeout_s:.0f} s",
            fix="raise the time limit of the firmware settings, or make the network smaller",
        ) from error
    except FileNotFoundError as error:
        raise not_found(name, str(command[0])) from error
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise _failure(name, done.returncode, text)
    return text


def _failure(name: str, code: int, text: str) -> HarnessError:
    if "No space left on device" in text:
        return no_space(f"so {name} reports")
    tail = text[-_LOG_TAIL:].strip()
    if code in _KILLED or "Killed" in tail or "bad_alloc" in tail:
        return LimitError(
            f"{name} was killed (exit status {code}), most likely for want of memory",
            fix="raise the memory limit of the firmware settings, or make the network smaller",
        )
    return EnvironmentFaultError(
        f"{name} failed with exit status {code}:\n{tail}", fix="see the end of its output above"
    )
