"""Downloads that survive a broken line: resumed by HTTP range, retried, checked.

The bytes are gathered in ``NAME.part`` beside the file. Whatever ends a download (a cut line,
Ctrl-C, kill -9), the next download continues from there. Checksum and the final move are pooch's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.web import (
    TIMEOUT_S,
    PassingFaultError,
    Patience,
    Refused,
    no_answer,
    open_session,
    retry_passing_faults,
    size_of,
    text_of_status,
    within,
)
from harness.errors import DataError
from harness.files import PART_SUFFIX, Progress, disk_fault, no_progress

if TYPE_CHECKING:
    import requests

_PIECE_BYTES = 65_536
# Of a file whose size nobody states: forty times the largest of ADC2021.
_MOST_BYTES = 100 * 1024**3
# The speed of a line is measured over this many seconds.
_SPEED_S = 60.0


# What to do about a file that is not the one that was asked for.
ANOTHER_FILE = "try again, or another --mirror; if it stays, write to the publisher"


def download(
    url: str,
    target: Path,
    *,
    checksum: str | None,
    n_bytes: int | None = None,
    label: str | None = None,
    headers: Mapping[str, str] | None = None,
    refused: Refused = text_of_status,
    fix: str = ANOTHER_FILE,
    progress: Progress = no_progress,
    patience: Patience | None = None,
) -> None:
    """Download `url` to `target` unless it is there and has the checksum.

    Parameters
    ----------
    url : str
        What to download.
    target : Path
        Where to; its folder exists.
    checksum : str or None
        ``md5:`` or ``sha256:`` of the file; None: taken as it comes.
    n_bytes : int, optional
        Its size, if it is known.
    label : str, optional
        What it is called in `progress`; by default the name of `target`.
    headers : mapping of str to str, optional
        Of each request. `Authorization` is not sent to another host that the server names.
    refused : callable
        Makes an exception of an answer that is no success.
    fix : str
        What to do about another file, for the message.
    progress : Progress
        Called with the bytes that have come.
    patience : Patience, optional
        Attempts that bring nothing, before it is given up.

    Raises
    ------
    DataError
        The server refuses, gives up, or sends another file.
    EnvironmentFaultError
        The disk is full or not writable.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    downloader = _Downloader(
        target,
        n_bytes,
        progress,
        patience or Patience(),
        fix,
        label=label or target.name,
        headers=headers or {},
        refused=refused,
    )
    _retrieve(url, target, checksum, downloader, fix)


def _retrieve(
    url: str, target: Path, checksum: str | None, downloader: _Downloader, fix: str
) -> None:
    """Let pooch bring the file, check and move it; once more if a part was of another file."""
    import pooch

    while True:
        try:
            pooch.retrieve(url, checksum, target.name, target.parent, downloader=downloader)
        except OSError as error:
            room = "make room or correct its permissions; the part that came is kept"
            raise disk_fault(target.parent, error, fix=room) from error
        except ValueError as error:
            # pooch's complaint about the checksum. A part that was begun with another file is
            # gone now: once more, from the start.
            if not downloader.is_resumed:
                raise _another_file(url, checksum, error, fix) from error
        else:
            return


def _another_file(url: str, checksum: str | None, error: ValueError, fix: str) -> DataError:
    return DataError(
        f"not the file that was asked for: {str(error).split('. ')[0]}",
        where=url,
        expected=str(checksum),
        fix=fix,
    )


class _Downloader:
    """What pooch calls to download: gathers the part, then hands it over."""

    def __init__(
        self,
        target: Path,
        n_bytes: int | None,
        progress: Progress,
        patience: Patience,
        fix: str,
        *,
        label: str,
        headers: Mapping[str, str],
        refused: Refused,
    ) -> None:
        self._fix = fix
        self._headers = headers
        self._refused = refused
        self._part = target.with_name(target.name + PART_SUFFIX)
        self._label = label
        self._n_bytes = n_bytes
        self._progress = progress
        self._patience = patience
        self._ends = time.monotonic() + patience.total_s
        self.is_resumed = False

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Download `url` to `output_file`."""
        self.is_resumed = size_of(self._part) > 0
        with open_session() as session:
            for attempt in retry_passing_faults(url, self._patience, self._part, self._progress):
                with attempt:
                    self._go_on(session, url)
        self._part.replace(output_file)

    def _go_on(self, session: requests.Session, url: str) -> None:
        """Ask for what is missing and append it; from the start if the server cannot resume."""
        held = size_of(self._part)
        if held and held == self._n_bytes:
            return
        headers = {**self._headers, **({"Range": f"bytes={held}-"} if held else {})}
        with self._ask(session, url, headers) as response:
            if response.status_code == 416 and held:
                # The part is longer than the file: it belongs to another one.
                self._part.unlink()
                raise PassingFaultError("the part that was held does not fit the file")
            if response.status_code not in {200, 206}:
                raise self._refused(response)
            start = _start_of(response) if response.status_code == 206 else 0
            if start not in {0, held}:
                raise PassingFaultError(f"the server sends from byte {start}, not {held}")
            total = self._announced(response, start)
            self._append(_pieces(response), start, total)
        if total is not None and size_of(self._part) < total:
            raise PassingFaultError(
                f"the line was cut after {size_of(self._part):,} of {total:,} bytes"
            )

    def _ask(
        self, session: requests.Session, url: str, headers: Mapping[str, str]
    ) -> requests.Response:
        """Send a request and wait for its answer, but not for ever."""
        longest_s = min(self._patience.answer_s, self._left_s())

        def ask() -> requests.Response:
            return session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)

        try:
            return within(longest_s, ask, late=lambda response: response.close())
        except TimeoutError as error:
            self._left_s()
            raise no_answer(self._patience.answer_s) from error

    def _left_s(self) -> float:
        """Return the time that is left for the file.

        Raises
        ------
        DataError
            None is left.
        """
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise DataError(
                f"{self._label}: not whole after {self._patience.total_s / 3600:g} h",
                fix="run the same command again: it continues from what came; or try a --mirror",
            )
        return left_s

    def _announced(self, response: requests.Response, start: int) -> int | None:
        """Return the size that the server announces, compared with the one that is known."""
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if self._n_bytes is None or total is None or total == self._n_bytes:
            return total if total is not None else self._n_bytes
        raise DataError(
            f"the server announces {total:,} bytes",
            where=response.url,
            expected=f"{self._n_bytes:,} bytes",
            fix=self._fix,
        )

    def _append(self, pieces: Iterable[bytes], start: int, total: int | None) -> None:
        done = seen = start
        limit = _MOST_BYTES if total is None else total
        checked = time.monotonic()
        with self._part.open("ab" if start else "wb") as stream:
            self._progress(self._label, done, total, "bytes")
            for piece in pieces:
                stream.write(piece)
                done += len(piece)
                self._progress(self._label, done, total, "bytes")
                if done > limit:
                    self._part.unlink()
                    raise DataError(f"{self._label}: the server sends more than {limit:,} bytes")
                self._left_s()
                elapsed_s = time.monotonic() - checked
                if elapsed_s >= _SPEED_S:
                    if done - seen < self._patience.least_bytes_per_s * elapsed_s:
                        speed = (done - seen) / elapsed_s
                        raise PassingFaultError(f"the line is too slow: {speed:,.0f} bytes/s")
                    checked, seen = time.monotonic(), done


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Give what has come as it comes.

    `requests` gathers whole pieces, and loses the last one if the line is cut.
    """
    while piece := response.raw.read1(_PIECE_BYTES):
        yield piece


def _start_of(response: requests.Response) -> int:
    """Read the first byte's place out of ``Content-Range: bytes 100-199/200``."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1
