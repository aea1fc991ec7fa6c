"""What a step tries of the filter of system calls: each denied call is made.

They are made in a process apart, which one of them may end. It runs as a step, so it imports
nothing but the standard library.
"""

from __future__ import annotations

import array
import ctypes
import mmap
import os
from collections.abc import Callable, Iterator, Sequence

# From include/uapi/linux/prctl.h.
PR_SET_DUMPABLE, PR_GET_SECCOMP, FILTERED = 4, 21, 2
WAIT_FOR_ALL_KINDS = 0x40000000
X32_GETPID = 0x40000000 | 39
GETPID_OF_I386 = b"\xb8\x14\0\0\0\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret
# The answer to a call that ends its process: another filter, around the harness, may do that.
KILLED = -1
READ_BYTES = 1 << 16

# Name, number, arguments, and the errno that answers it.
Call = tuple[str, int, list[int], int]


class Untried(str):
    """What could not be tried, and why: a guard can hold without it."""

    __slots__ = ()


def open_calls(calls: Sequence[Call]) -> Iterator[str]:
    """Yield the calls that the filter does not answer as it should.

    None is made where there is no filter: some would do harm.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != FILTERED:
        yield "all: no filter is in force"
        return
    for (name, _, _, expected), answer in zip(calls, _answers(libc, calls), strict=True):
        if answer not in (expected, KILLED):
            yield name
    if os.uname().machine == "x86_64":
        yield from _open_door("x32 calls", _call_x32)
        yield from _open_door("32-bit calls", _call_32_bit)


def _answers(libc: ctypes.CDLL, calls: Sequence[Call]) -> list[int]:
    """Make all calls; return the errno of each, 0, or `KILLED`."""
    answers = array.array("i")
    while len(answers) < len(calls):
        left = calls[len(answers) :]
        is_killed, said = _apart(lambda fd, left=left: _make(libc, left, fd))  # type: ignore[misc]
        answers.frombytes(said)
        if is_killed:
            answers.append(KILLED)
        elif len(answers) < len(calls):
            raise OSError(f"the process that makes {calls[len(answers)][0]} ended")
    return [*answers]


def _make(libc: ctypes.CDLL, calls: Sequence[Call], fd: int) -> None:
    for _, number, arguments, _ in calls:
        os.write(fd, array.array("i", [_answer(libc, number, arguments)]).tobytes())


def _answer(libc: ctypes.CDLL, number: int, arguments: Sequence[int]) -> int:
    """Make a call; return its errno, or 0. A process that it made is ended."""
    pid = os.getpid()
    value = libc.syscall(*(ctypes.c_long(word) for word in (number, *arguments)))
    if os.getpid() != pid:
        os._exit(0)
    if value < 0:
        return ctypes.get_errno()
    if value > 0:
        try:
            os.waitpid(value, WAIT_FOR_ALL_KINDS)
        except OSError:
            return 0
    return 0


def _apart(act: Callable[[int], object]) -> tuple[bool, bytes]:
    """Run `act` in a process of its own.

    Returns
    -------
    is_killed : bool
        Whether a signal ended it.
    said : bytes
        What it wrote to the descriptor that it was given.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # Its end is no crash that this machine should keep a picture of.
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
            act(writer)
        finally:
            os._exit(0)
    os.close(writer)
    said = b""
    while data := os.read(reader, READ_BYTES):
        said += data
    os.close(reader)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1]), said


def _open_door(name: str, call: Callable[[], object]) -> Iterator[str]:
    """Yield the name of a way to make calls that does not end the process, as it should."""

    def act(fd: int) -> None:
        try:
            call()
        except OSError as error:
            os.write(fd, str(error).encode())
        else:
            os.write(fd, b"open")

    is_killed, said = _apart(act)
    if not is_killed:
        yield name if said == b"open" else Untried(f"{name}: {said.decode()}")


def _call_x32() -> object:
    return ctypes.CDLL(None).syscall(ctypes.c_long(X32_GETPID))


def _call_32_bit() -> object:
    page = mmap.mmap(-1, len(GETPID_OF_I386), mmap.MAP_PRIVATE, 7)  # read, write and execute
    page.write(GETPID_OF_I386)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
