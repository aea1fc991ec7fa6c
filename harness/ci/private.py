"""Private data and private results, kept outside the repository: a folder, or any store of fsspec.

A location is a path, or an address such as ``s3://bucket/folder`` where the package that serves it
is installed; credentials are those of that package, from its own environment variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.board import decisions
from harness.challenge import Challenge
from harness.ci import ledger
from harness.data.cache import cache_root
from harness.data.fetch import fetch
from harness.data.inventory import take_inventory
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError, UsageError, install_extra
from harness.sandbox.scratch import scratch_folder

_MAX_MANIFEST_BYTES = 1024**2
_GIVE_RESULTS = "give the results that `harness ci publish` wrote by --private-results"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateContest:
    """A challenge whose manifest and data are the organiser's.

    Attributes
    ----------
    manifest : Path
        A copy on this disk.
    rules : Challenge
        What it says.
    """

    manifest: Path
    rules: Challenge


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivatePlace:
    """Where a private challenge is kept.

    Attributes
    ----------
    manifest : str or None
        Path or address of its manifest; None: the public challenge alone keeps whole cards here.
    results : str
        Path or address of the organiser's whole cards.
    challenge : str or None
        Which one of the manifest.
    """

    manifest: str | None
    results: str
    challenge: str | None = None


def private_place(
    manifest: str | None, results: str | None, challenge: str | None = None
) -> PrivatePlace | None:
    """Return the place of what is private; None where no location is given.

    Raises
    ------
    UsageError
        There is no place for the results of a private challenge, or no manifest that names it.
    """
    if (manifest and not results) or (challenge and not manifest):
        raise UsageError("a private challenge takes --private-manifest and --private-results")
    if not results:
        return None
    return PrivatePlace(manifest=manifest or None, results=results, challenge=challenge)


def is_address(location: str) -> bool:
    """Tell an address of a store from a path."""
    return "://" in location


@contextmanager
def open_contest(
    manifest: str, challenge: str | None, cache: Path | None
) -> Iterator[PrivateContest]:
    """Read a private manifest, and see to it that the events of its challenge are in the cache.

    Parameters
    ----------
    manifest : str
        Path or address; the data files lie beside it under the names that it gives.
    challenge : str, optional
        Which one of it; needed if it holds several.
    cache : Path, optional
        Where decoded events are kept: private as the files are.
    """
    with scratch_folder() as scratch:
        path = scratch / "private.yaml"
        path.write_bytes(_read(manifest, _MAX_MANIFEST_BYTES))
        rules = _chosen(path, challenge)
        root = cache_root(cache)
        (status,) = take_inventory(
            load_manifest(path).model_copy(update={"challenges": (rules,)}), root
        )
        if not status.is_ready:
            with _files_of(manifest, rules, scratch / "files") as folder:
                fetch(rules, root=root, source_folder=folder, trust_first_use=True)
        yield PrivateContest(manifest=path, rules=rules)


def _chosen(path: Path, challenge: str | None) -> Challenge:
    from harness.ci.documents import cut
    from harness.data.manifest import Manifest
    from harness.files import read_yaml

    own = read_yaml(path, Manifest)
    if challenge is not None:
        return own.challenge(challenge)
    if len(own.challenges) > 1:
        raise UsageError(
            f"the private manifest holds {cut(', '.join(own.names), 200)}",
            fix="name one with --private-challenge",
        )
    return own.challenges[0]


def _read(location: str, max_bytes: int) -> bytes:
    if not is_address(location):
        try:
            return Path(location).read_bytes()
        except OSError as error:
            raise UsageError(
                error.strerror or str(error), where=location, expected="a manifest"
            ) from error
    store, path = _store(location)
    with _reaching_store(), store.open(path, "rb") as file:
        return bytes(file.read(max_bytes))


@contextmanager
def _files_of(manifest: str, rules: Challenge, scratch: Path) -> Iterator[Path]:
    """Give a folder of this disk that holds the data files."""
    if not is_address(manifest):
        yield Path(manifest).resolve().parent
        return
    store, path = _store(manifest)
    scratch.mkdir()
    parent = path.rpartition("/")[0]
    with _reaching_store():
        for file in rules.files:
            if file.role != "blackbox":
                store.get_file(f"{parent}/{file.name}", str(scratch / file.name))
    yield scratch


def _store(location: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - fsspec has no types
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise EnvironmentFaultError(
            "fsspec is not installed", fix=install_extra("private")
        ) from error
    try:
        return url_to_fs(location)
    except (ImportError, ValueError) as error:
        raise EnvironmentFaultError(
            f"the store cannot be reached: {error}", fix="install the package it names"
        ) from error


@contextmanager
def _reaching_store() -> Iterator[None]:
    """Report a store that fails; its address may hold a secret, so the message leaves it out."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFaultError(
            f"the private store gave {type(error).__name__}",
            fix="check the address, and the credentials in the environment",
        ) from error


@contextmanager
def open_results(location: str, *, is_read: bool = False) -> Iterator[Path]:
    """Give a folder of this disk with the private results; what is new goes back to the store.

    Cards in the store are never overwritten; the list of attempts and the decisions are, with
    their longer selves.

    Parameters
    ----------
    is_read : bool
        They are only read, so they have to be there.

    Raises
    ------
    UsageError
        They are not there.
    """
    if not is_address(location):
        folder = Path(location)
        if is_read and not folder.is_dir():
            raise UsageError("there is no such folder", where=location, fix=_GIVE_RESULTS)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    store, root = _store(location)
    with scratch_folder() as scratch:
        folder = scratch / "results"
        folder.mkdir()
        before = set(_pull(store, root, folder))
        try:
            yield folder
        finally:
            _give_back(store, root, folder, before)


def _pull(store, root: str, folder: Path) -> Iterator[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    with _reaching_store():
        for path in store.find(root) if store.exists(root) else []:
            name = path.removeprefix(root).lstrip("/")
            target = folder / name
            if folder.resolve() not in target.resolve().parents:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(path, str(target))
            yield name


def _give_back(store, root: str, folder: Path, before: set[str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    growing = {ledger.FILE_NAME, decisions.FILE_NAME}
    with _reaching_store():
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            is_new = name not in before or path.name in growing
            if path.is_file() and is_new and not path.name.startswith("."):
                store.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
                store.put_file(str(path), f"{root}/{name}")
