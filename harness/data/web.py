"""Web servers, asked with patience and within bounds: of time, of bytes, of attempts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urljoin

import harness
from harness.errors import DataError
from harness.files import Progress, no_progress

if TYPE_CHECKING:
    import requests
    from tenacity import AttemptManager, RetryCallState

# Seconds to connect, and between two pieces of an answer.
TIMEOUT_S = (10.0, 60.0)
# Answers of a server that may be different at the next attempt.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_ATTEMPTS = 5
_FIRST_WAIT_S = 1.0
# The wait doubles up to this.
_LONGEST_WAIT_S = 60.0
# A server may ask for as much: the Hub of Hugging Face counts requests in windows of five minutes.
_LONGEST_ASKED_S = 330.0
_NOTICED_WAIT_S = 5.0
_PIECE_BYTES = 65_536
# Of an answer of an interface.
MOST_DOCUMENT_BYTES = 16 * 1024**2
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/: none remain for t seconds.
_NONE_REMAIN = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,6})(?![0-9])")

T = TypeVar("T")
# Makes an exception of an answer that is no success.
Refused: TypeAlias = "Callable[[requests.Response], Exception]"


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
        Longest time from a request to the first byte of a file, or to the last of a document.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A short answer of a server.

    Attributes
    ----------
    content : bytes
        The whole of it.
    url : str
        Who gave it, after all redirections.
    next_url : str or None
        Where it goes on, by its ``Link`` header.
    """

    content: bytes
    url: str
    next_url: str | None


@contextmanager
def open_session() -> Iterator[requests.Session]:
    """Open a session that names the harness and asks for files as they are."""
    import requests

    with requests.Session() as session:
        session.headers["User-Agent"] = f"harness/{harness.__version__}"
        # A compressed answer could not be resumed at a byte of the file.
        session.headers["Accept-Encoding"] = "identity"
        yield session


def get_document(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    refused: Refused | None = None,
    patience: Patience | None = None,
    progress: Progress = no_progress,
) -> Document:
    """Ask for a short document, such as the answer of an interface.

    Parameters
    ----------
    url : str
        Its address.
    headers : mapping of str to str, optional
        Of the request.
    refused : callable, optional
        Makes an exception of an answer that is no success; by default `text_of_status`.
    patience : Patience, optional
        How often it is asked again.
    progress : Progress
        Called when the next attempt has to wait.

    Raises
    ------
    DataError
        The server refuses, gives up, or sends more than 16 MiB.
    """
    patience = patience or Patience()

    def ask() -> Document:
        with (
            open_session() as session,
            session.get(url, headers=headers, timeout=TIMEOUT_S, stream=True) as response,
        ):
            if response.status_code != 200:
                raise (refused or text_of_status)(response)
            following = response.links.get("next", {}).get("url")
            return Document(
                content=_read(response, url),
                url=response.url,
                next_url=None if following is None else urljoin(response.url, following),
            )

    for attempt in retry_passing_faults(url, patience, progress=progress):
        with attempt:
            try:
                return within(patience.answer_s, ask)
            except TimeoutError as error:
                raise no_answer(patience.answer_s) from error
    raise AssertionError("unreachable: the last attempt raises")


def _read(response: requests.Response, url: str) -> bytes:
    """Read an answer; one that does not end is cut off."""
    content = bytearray()
    for piece in response.iter_content(_PIECE_BYTES):
        content += piece
        if len(content) > MOST_DOCUMENT_BYTES:
            raise DataError(f"the answer is larger than {MOST_DOCUMENT_BYTES:,} bytes", where=url)
    return bytes(content)


def within(longest_s: float, work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """Return what `work` returns, but do not wait for it for ever.

    A server can go on with interim answers or with a byte of a header now and then, so that no
    wait for a single piece is long. The thread that waits for it ends with the process.

    Parameters
    ----------
    longest_s : float
        How long to wait.
    work : callable
        What is done.
    late : callable, optional
        Called with what `work` returns when nobody waits for it any more.

    Raises
    ------
    TimeoutError
        It takes longer.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            answer.set_exception(error)

    def drop(ended: Future[T]) -> None:
        if late is not None and ended.exception() is None:
            late(ended.result())

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(longest_s)
    except (TimeoutError, KeyboardInterrupt):
        answer.add_done_callback(drop)
        raise


def no_answer(longest_s: float) -> PassingFaultError:
    """Say that a server did not answer in time."""
    return PassingFaultError(f"the server gave no answer in {longest_s:g} s")


def retry_passing_faults(
    url: str,
    patience: Patience | None = None,
    part: Path | None = None,
    progress: Progress = no_progress,
) -> Iterator[AttemptManager]:
    """Give attempts (`with attempt: ...`) until one passes or the patience ends.

    After one that made `part` longer the attempts are counted from one again. A wait that a person
    would notice is said to `progress`.

    Raises
    ------
    DataError
        The patience ended, or a fault does not pass.
    """
    import requests
    import tenacity
    import urllib3

    patience = patience or Patience()
    size = size_of(part)

    def count_from_one_if_it_grew(state: RetryCallState) -> None:
        nonlocal size
        if size_of(part) > size:
            state.attempt_number = 1
        size = size_of(part)

    def wait_s(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, PassingFaultError) else 0.0
        backoff = patience.first_wait_s * 2.0 ** (state.attempt_number - 1)
        return max(asked, min(backoff, _LONGEST_WAIT_S))

    def say_long_wait(state: RetryCallState) -> None:
        seconds = 0.0 if state.next_action is None else float(state.next_action.sleep)
        if seconds >= _NOTICED_WAIT_S and state.outcome is not None:
            progress(f"waiting {seconds:.0f} s: {state.outcome.exception()}", 0, None, "s")

    try:
        yield from tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            after=count_from_one_if_it_grew,
            stop=tenacity.stop_after_attempt(patience.max_attempts),
            wait=wait_s,
            before_sleep=say_long_wait,
            reraise=True,
        )
    # A header of an answer may be no number, no address or no text.
    except (
        PassingFaultError,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ValueError,
    ) as error:
        n_attempts = patience.max_attempts if _is_passing(error) else 0
        raise _given_up(url, error, n_attempts, part) from error


def text_of_status(response: requests.Response) -> Exception:
    """Turn an answer that is no success into an exception."""
    what = f"the server says {response.status_code} {response.reason or ''}".rstrip()
    if response.status_code not in _PASSING_STATUS:
        return DataError(
            what,
            where=response.url,
            fix="is the address right? Another one may be given by --mirror or in a manifest",
        )
    asked_s = _asked_wait_s(response)
    if asked_s > _LONGEST_ASKED_S:
        fix = "run the same command again after that time: it continues from what came"
        return DataError(f"{what} and asks to wait {asked_s:,.0f} s", where=response.url, fix=fix)
    return PassingFaultError(what, asked_s)


def _is_passing(error: BaseException) -> bool:
    """Whether a fault may be gone at the next attempt; a bad certificate is not."""
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        return False
    cut = requests.exceptions.ChunkedEncodingError
    passing = PassingFaultError | requests.ConnectionError | requests.Timeout | cut
    # Faults in the midst of an answer come straight from urllib3.
    return isinstance(error, passing | urllib3.exceptions.HTTPError)


def size_of(part: Path | None) -> int:
    """Return the bytes that have come; 0 where there is no such file."""
    return part.stat().st_size if part is not None and part.exists() else 0


def _asked_wait_s(response: requests.Response) -> float:
    """Return how long the server asks to wait, by ``Retry-After`` or ``RateLimit``."""
    # A date is allowed too, but no file server met so far sends one.
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked[:9])
    limit = _NONE_REMAIN.search(response.headers.get("RateLimit", ""))
    # A second more: the stated ones are rounded.
    return float(limit[1]) + 1.0 if limit and response.status_code == 429 else 0.0


def _given_up(url: str, error: Exception, n_attempts: int, part: Path | None) -> DataError:
    n_bytes = size_of(part)
    goes_on = f": it continues from the {n_bytes:,} bytes that came" if n_bytes else ""
    tried = f"given up after {n_attempts} attempts that brought nothing: " if n_attempts else ""
    return DataError(f"{tried}{error}", where=url, fix=f"run the same command again{goes_on}")
