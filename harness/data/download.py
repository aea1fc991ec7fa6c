"""Downloads that survive a broken line: resumed by HTTP range, retried, checked.

The bytes are gathered in ``NAME.part`` beside the file. Whatever ends a download (a cut line,
Ctrl-C, kill -9), the next download continues from there. Checksum and the final move are pooch's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.errors import DataError
from harness.files import PART_SUFFIX, Progress, disk_fault, no_progress

if TYPE_CHECKING:
    import requests
    from tenacity import AttemptManager, RetryCallState

# Seconds to connect, and between two pieces of an answer.
TIMEOUT_S = (10.0, 60.0)
# Answers of a server that may be different at the next attempt.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_ATTEMPTS = 5
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_PIECE_BYTES = 65_536
# Of a file whose size nobody states: forty times the largest of ADC2021.
_MOST_BYTES = 100 * 1024**3
# The speed of a line is measured over this many seconds.
_SPEED_S = 60.0


class PassingFaultError(Exception):
    """A fault that may be gone at the next attempt.

    Attributes
    ----------
    retry_after_s : float
        How long the server asked to wait.
    """

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(text)


# What to do about a file that is not the one that was asked for.
ANOTHER_FILE = "try again, or another --mirror; if it stays, write to the publisher"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a download may take, and how often it is tried again.

    Attributes
    ----------
    max_attempts : int
        Attempts one after the other that bring nothing.
    first_wait_s : float
        Wait before the second attempt; twice as long before each further one.
    answer_s : float
        Longest time from a request to the first byte of the file.
    least_bytes_per_s : float
        Slowest line, over a minute: a server that sends a byte a minute never times out.
    total_s : float
        Longest time of a file, all attempts together.
    """

    max_attempts: int = _MAX_ATTEMPTS
    first_wait_s: float = _FIRST_WAIT_S
    answer_s: float = 120.0
    least_bytes_per_s: float = 1024.0
    total_s: float = 24 * 3600.0


def download(
    url: str,
    target: Path,
    *,
    checksum: str | None,
    n_bytes: int | None = None,
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
    downloader = _Downloader(target, n_bytes, progress, patience or Patience(), fix)
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


@contextmanager
def open_session() -> Iterator[requests.Session]:
    """Open a session that names the harness and asks for files as they are."""
    import requests

    with requests.Session() as session:
        session.headers["User-Agent"] = f"harness/{harness.__version__}"
        # A compressed answer could not be resumed at a byte of the file.
        session.headers["Accept-Encoding"] = "identity"
        yield session


def retry_passing_faults(
    url: str, patience: Patience | None = None, part: Path | None = None
) -> Iterator[AttemptManager]:
    """Give attempts (`with attempt: ...`) until one passes or the patience ends.

    After one that made `part` longer the attempts are counted from one again.

    Raises
    ------
    DataError
        The patience ended, or a fault does not pass.
    """
    import requests
    import tenacity
    import urllib3

    patience = patience or Patience()
    size = _size(part)

    def count_from_one_if_it_grew(state: RetryCallState) -> None:
        nonlocal size
        if _size(part) > size:
            state.attempt_number = 1
        size = _size(part)

    def wait_s(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, PassingFaultError) else 0.0
        backoff = patience.first_wait_s * 2.0 ** (state.attempt_number - 1)
        return min(max(asked, backoff), _LONGEST_WAIT_S)

    try:
        yield from tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            after=count_from_one_if_it_grew,
            stop=tenacity.stop_after_attempt(patience.max_attempts),
            wait=wait_s,
            reraise=True,
        )
    except (PassingFaultError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        n_attempts = patience.max_attempts if _is_passing(error) else 0
        raise _given_up(url, error, n_attempts, part) from error


def text_of_status(response: requests.Response) -> Exception:
    """Turn an answer that is no success into an exception."""
    what = f"the server says {response.status_code} {response.reason or ''}".rstrip()
    if response.status_code in _PASSING_STATUS:
        return PassingFaultError(what, _retry_after_s(response))
    return DataError(
        what,
        where=response.url,
        fix="is the address right? Another one may be given by --mirror or in a manifest",
    )


def _is_passing(error: BaseException) -> bool:
    """Whether a fault may be gone at the next attempt; a bad certificate is not."""
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        return False
    passing = PassingFaultError | requests.ConnectionError | requests.Timeout
    # Faults in the midst of an answer come straight from urllib3.
    return isinstance(error, passing | urllib3.exceptions.HTTPError)


def _size(part: Path | None) -> int:
    return part.stat().st_size if part is not None and part.exists() else 0


class _Downloader:
    """What pooch calls to download: gathers the part, then hands it over."""

    def __init__(
        self,
        target: Path,
        n_bytes: int | None,
        progress: Progress,
        patience: Patience,
        fix: str = ANOTHER_FILE,
    ) -> None:
        self._fix = fix
        self._part = target.with_name(target.name + PART_SUFFIX)
        self._label = target.name
        self._n_bytes = n_bytes
        self._progress = progress
        self._patience = patience
        self._ends = time.monotonic() + patience.total_s
        self.is_resumed = False

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Download `url` to `output_file`."""
        self.is_resumed = _size(self._part) > 0
        with open_session() as session:
            for attempt in retry_passing_faults(url, self._patience, self._part):
                with attempt:
                    self._go_on(session, url)
        self._part.replace(output_file)

    def _go_on(self, session: requests.Session, url: str) -> None:
        """Ask for what is missing and append it; from the start if the server cannot resume."""
        held = _size(self._part)
        if held and held == self._n_bytes:
            return
        headers = {"Range": f"bytes={held}-"} if held else {}
        with self._ask(session, url, headers) as response:
            if response.status_code == 416 and held:
                # The part is longer than the file: it belongs to another one.
                self._part.unlink()
                raise PassingFaultError("the part that was held does not fit the file")
            if response.status_code not in {200, 206}:
                raise text_of_status(response)
            start = _start_of(response) if response.status_code == 206 else 0
            if start not in {0, held}:
                raise PassingFaultError(f"the server sends from byte {start}, not {held}")
            total = self._announced(response, start)
            self._append(_pieces(response), start, total)
        if total is not None and _size(self._part) < total:
            raise PassingFaultError(
                f"the line was cut after {_size(self._part):,} of {total:,} bytes"
            )

    def _ask(
        self, session: requests.Session, url: str, headers: Mapping[str, str]
    ) -> requests.Response:
        """Send a request and wait for its answer, but not for ever.

        A server can go on with interim answers or with a byte of a header now and then, so that
        no wait for a single piece is long. The thread that waits for it ends with the process.
        """
        longest_s = min(self._patience.answer_s, self._left_s())
        answer: Future[requests.Response] = Future()

        def ask() -> None:
            try:
                answer.set_result(session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            return answer.result(longest_s)
        except TimeoutError as error:
            answer.add_done_callback(_close)
            self._left_s()
            raise PassingFaultError(
                f"the server gave no answer in {self._patience.answer_s:g} s"
            ) from error
        except KeyboardInterrupt:
            answer.add_done_callback(_close)
            raise

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


def _close(answer: Future[requests.Response]) -> None:
    """Close an answer that came when nobody waited for it any more."""
    if answer.exception() is None:
        answer.result().close()


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


def _retry_after_s(response: requests.Response) -> float:
    # A date is allowed too, but no file server met so far sends one.
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


def _given_up(url: str, error: Exception, n_attempts: int, part: Path | None) -> DataError:
    n_bytes = _size(part)
    goes_on = f": it continues from the {n_bytes:,} bytes that came" if n_bytes else ""
    tried = f"given up after {n_attempts} attempts that brought nothing: " if n_attempts else ""
    return DataError(f"{tried}{error}", where=url, fix=f"run the same command again{goes_on}")
