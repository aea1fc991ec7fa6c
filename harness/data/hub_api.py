"""The interface of the Hugging Face Hub: who asks it, within which bounds, what a refusal means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from harness.data.web import MOST_DOCUMENT_BYTES, Document, Patience, get_document, text_of_status
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, no_progress, parse_json

if TYPE_CHECKING:
    import requests

# Another server with the Hub's interface; the variable of `huggingface_hub`.
HUB_VARIABLE = "HF_ENDPOINT"
HUB = "https://huggingface.co"
_MAX_SAID = 200
# What a header may hold.
_TOKEN = re.compile(r"[!-~]{1,4096}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """A server with the Hub's interface, and how it is asked.

    Attributes
    ----------
    endpoint : str
        Its address.
    token : str or None
        Who asks; None: anybody. It is sent to the endpoint alone.
    patience : Patience
        How often and how long.
    progress : Progress
        Called when the Hub has to be waited for.
    """

    endpoint: str
    token: str | None = field(default=None, repr=False)
    patience: Patience = field(default_factory=Patience)
    progress: Progress = field(default=no_progress, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


def open_hub(
    endpoint: str | None = None, patience: Patience | None = None, progress: Progress = no_progress
) -> Hub:
    """Name the Hub and who asks it.

    Parameters
    ----------
    endpoint : str, optional
        Its address; by default `HF_ENDPOINT` or https://huggingface.co.
    patience : Patience, optional
        How often and how long it is asked.
    progress : Progress
        Called when it has to be waited for.

    Raises
    ------
    UsageError
        The address is none, the Hub was switched off by `HF_HUB_OFFLINE`, or the stored login does
        not work.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import OIDCError

    address = (endpoint or os.environ.get(HUB_VARIABLE) or HUB).rstrip("/")
    if not re.fullmatch(r"https?://[^/@\s]+(/[^\s?#]*)?", address):
        raise UsageError(
            "that is no address of a Hub", where=HUB_VARIABLE, expected="https://huggingface.co"
        )
    if constants.HF_HUB_OFFLINE:
        raise UsageError(
            "the Hub is switched off", where="HF_HUB_OFFLINE", fix="unset it, or give --from FOLDER"
        )
    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OIDCError, OSError, ValueError) as error:
        raise UsageError(_no_login(type(error).__name__)) from error
    if token is not None and not _TOKEN.fullmatch(token):
        raise UsageError(_no_login("the token is no word of letters, digits and signs"))
    return Hub(endpoint=address, token=token, patience=patience or Patience(), progress=progress)


def _no_login(reason: str) -> Problem:
    return Problem(
        what=f"the login of the Hub does not work: {reason}",
        where="HF_TOKEN, or the file that `hf auth login` wrote",
        fix="log in again by `hf auth login`, or out: a public data set needs no login",
    )


def ask(hub: Hub, address: str, repository: str) -> Document:
    """Ask for a short answer about a repository; no other host may give it.

    Raises
    ------
    DataError
        The Hub cannot be reached, or refuses.
    """
    try:
        answer = get_document(
            address,
            headers=hub.headers,
            refused=lambda response: refusal(response, repository),
            patience=hub.patience,
            progress=hub.progress,
        )
    except DataError as error:
        raise DataError(*error.problems, _unlisted(repository)) from error
    if _origin(answer.url) != _origin(hub.endpoint):
        raise DataError(
            f"{_origin(answer.url)} answers in place of the Hub",
            where=address,
            expected=_origin(hub.endpoint),
            fix=f"name the server that is to be trusted in {HUB_VARIABLE}",
        )
    return answer


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def parse(answer: Document, model: type[Model]) -> Model:
    """Read an answer, which may be anything.

    Raises
    ------
    DataError
        It does not fit the model.
    """
    return parse_json(
        answer.content,
        model,
        source=answer.url,
        max_bytes=MOST_DOCUMENT_BYTES,
        expected="an answer of the Hub's interface",
        fix="update harness and huggingface_hub: the interface may have changed; or give --from",
    )


def _unlisted(repository: str) -> Problem:
    return Problem(
        what="its files cannot be listed",
        where=repository,
        fix="a folder that holds the same files, or the unpacked archives of Zenodo, does as well: "
        "--from FOLDER",
    )


def refusal(response: requests.Response, repository: str) -> Exception:
    """Say why the Hub refuses, and what to do.

    It answers the same where there is nothing as where nothing may be seen.
    """
    code = response.headers.get("X-Error-Code", "")
    said = response.headers.get("X-Error-Message", "")[:_MAX_SAID]
    what = f"the Hub says {response.status_code}{f': {said}' if said else ''}"
    login = "log in by `hf auth login`, or set HF_TOKEN, as an account that may read it"
    if code == "GatedRepo" or response.status_code == 403:
        fix = f"ask for access on the page of {repository}; then {login}"
        return DataError(what, where=response.url, fix=fix)
    if code == "RevisionNotFound":
        fix = "correct `revision` in the manifest, or run the command with --repin"
        return DataError(what, where=response.url, expected="a commit of the repository", fix=fix)
    if code == "EntryNotFound":
        fix = "another commit may be named by `revision` in a manifest of your own"
        return DataError(what, where=response.url, expected="files of the release", fix=fix)
    if response.status_code in {401, 404, 410}:
        moved = "was it moved or renamed? Name it by `hub` in a manifest of your own"
        fix = f"{moved}. If it is private, {login}"
        return DataError(what, where=response.url, expected=f"the data set {repository}", fix=fix)
    return text_of_status(response)
