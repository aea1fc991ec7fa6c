"""What to do about an exception of a participant's code that comes from the sandbox around it."""

from __future__ import annotations

import errno
import os
import re
import traceback

from harness.submission.packages import Division, advise_missing

_THREADS = (
    'use threads, such as joblib.Parallel(prefer="threads") or ThreadPoolExecutor, or processes '
    'that need no socket, such as joblib.Parallel() or multiprocessing.get_context("fork").Pool()'
)
_NO_SOCKETS = "a sandbox has no sockets, not even between its own processes"
_ENDED = (
    "a worker process ended before its work: it used too much memory, ran into a limit, or called "
    "what a sandbox does not have"
)
_OTHER_SHAPES = (
    "the file of weights was made for another network than the one that model.py builds now: run "
    "train.py again"
)
# What Keras 3 says of values that do not fit the weights of a network.
_NO_FIT = re.compile(
    r"objects could not be loaded|expected \d+ variables, but received"
    r"|shape of the target variable and the shape of the target value"
    r"|Layer count mismatch|set_weights\(weights\)"
)
# Exceptions that say that a worker process has ended, by name: their packages stay unloaded.
_OF_ENDED_WORKERS = frozenset({"BrokenProcessPool", "TerminatedWorkerError"})


def advise(error: BaseException, division: Division) -> str:
    """Name the cause and the remedy of an exception, if it is of a kind that a sandbox explains.

    Parameters
    ----------
    error : BaseException
        What the code raised.
    division : str
        For advice about packages.

    Returns
    -------
    str
        Empty for any other exception: its own text and its line say more.

    Examples
    --------
    >>> advise(ValueError("shapes do not match"), "open")
    ''
    >>> advise(FileNotFoundError(2, "No such file or directory", "/proc/meminfo"), "open")
    'a sandbox has no /proc and no /sys: leave out what looks at the machine'
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return advise_missing(error.name.partition(".")[0], division)
    if isinstance(error, OSError) and str(error.filename or "").startswith(("/proc", "/sys")):
        return "a sandbox has no /proc and no /sys: leave out what looks at the machine"
    if type(error).__name__ in _OF_ENDED_WORKERS:
        return f"{_ENDED}; {_THREADS}"
    if _is_of_weights(error):
        return _OTHER_SHAPES
    if _is_of_sockets(error):
        return f"{_NO_SOCKETS}: {_THREADS}"
    return ""


def _is_of_weights(error: BaseException) -> bool:
    """Say whether Keras found weights of other shapes or layers in a file than in the network."""
    return isinstance(error, ValueError) and _NO_FIT.search(str(error)) is not None


def _is_of_sockets(error: BaseException) -> bool:
    """Say whether a socket was refused, here or in a process that was to serve this one."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {os.path.basename(frame.filename) for frame in frames}  # noqa: PTH119 a text, no path
    if isinstance(error, PermissionError) and error.errno == errno.EPERM:
        return "socket.py" in files
    return isinstance(error, EOFError) and "managers.py" in files
