"""Files: read with limits, every problem named with its place; written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast

import yaml
from pydantic import BaseModel, JsonValue, ValidationError

from harness.errors import (
    DataError,
    EnvironmentFaultError,
    Problem,
    UsageError,
    field_problems,
    first_complaint,
)

MAX_DOCUMENT_BYTES = 1024**2
MAX_DEPTH = 32
_PIECE_BYTES = 1024**2
# A file that is being written has this after its name; a run that was killed leaves it behind.
PART_SUFFIX = ".part"
# Room to leave on a disk, bytes.
SPARE_BYTES = 64 * 1024**2
_ANOTHER_DISK = (
    "name a folder on another disk: in HARNESS_CACHE for the cache, in TMPDIR for what one run "
    "works on"
)
_FIX = f"make room or correct its permissions, or {_ANOTHER_DISK}"

Model = TypeVar("Model", bound=BaseModel)


class Progress(Protocol):
    """Called now and then with the state of a piece of work."""

    def __call__(self, label: str, done: int, total: int | None, unit: str) -> None:
        """Take note that of `label`, `done` of `total` `unit` (bytes, events) are done."""
        ...


def no_progress(label: str, done: int, total: int | None, unit: str) -> None:
    """Ignore it."""


# --- Reading --------------------------------------------------------------------------------------


def open_regular(path: Path, *, may_be_link: bool = True) -> BinaryIO:
    """Open a regular file to read it; never wait for a pipe or a device that lies in its place.

    Raises
    ------
    OSError
        It cannot be opened, or is no regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if may_be_link else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_bounded(
    path: Path,
    max_bytes: int = MAX_DOCUMENT_BYTES,
    *,
    may_be_link: bool = True,
    expected: str = "",
    fix: str = "",
) -> bytes:
    """Read the regular file at `path`; `expected` and `fix` are for the problem if that fails.

    Raises
    ------
    DataError
        It cannot be read, or holds more than `max_bytes`.
    """
    try:
        with open_regular(path, may_be_link=may_be_link) as stream:
            content = read_up_to(stream, max_bytes + 1)
    except OSError as error:
        what = f"not readable: {error.strerror or error}"
        problem = Problem(what=what, where=str(path), expected=expected, fix=fix)
        raise DataError(problem) from error
    _check_size(content, max_bytes, source=str(path))
    return content


def read_up_to(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read at most `max_bytes`, in pieces: a limit sets no memory aside for a small file."""
    content = bytearray()
    while piece := stream.read(min(_PIECE_BYTES, max_bytes - len(content))):
        content += piece
    return bytes(content)


def _check_size(content: bytes, max_bytes: int, *, source: str) -> None:
    if len(content) > max_bytes:
        raise DataError(f"larger than {max_bytes:,} bytes", where=source)


def decode_text(content: bytes, *, source: str) -> str:
    """Decode UTF-8, with or without the mark that Windows puts before it.

    Raises
    ------
    DataError
        It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(
            what=f"is not UTF-8 at byte {error.start}", where=source, fix="save it as UTF-8"
        )
        raise DataError(problem) from error


def read_json(
    path: Path,
    model: type[Model],
    *,
    max_bytes: int = MAX_DOCUMENT_BYTES,
    expected: str = "",
    fix: str = "",
) -> Model:
    """Read the JSON file at `path` as a `model`; see `parse_json`."""
    content = read_bounded(path, max_bytes, expected=expected, fix=fix)
    return parse_json(
        content, model, source=str(path), max_bytes=max_bytes, expected=expected, fix=fix
    )


def parse_json(
    content: bytes | str,
    model: type[Model],
    *,
    source: str,
    max_bytes: int = MAX_DOCUMENT_BYTES,
    expected: str = "",
    fix: str = "",
) -> Model:
    """Read JSON, whoever wrote it.

    Parameters
    ----------
    source, expected, fix : str
        Of the problem, should it be no such document.

    Raises
    ------
    DataError
        It is too large, not JSON, or does not fit the model. The content is not shown.
    """
    raw = content.encode() if isinstance(content, str) else content
    _check_size(raw, max_bytes, source=source)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        what = first_complaint(error)
        raise DataError(what, where=source, expected=expected, fix=fix) from error


def load_json(
    content: bytes | str, *, source: str, max_bytes: int = MAX_DOCUMENT_BYTES, fix: str = ""
) -> JsonValue:
    """Load JSON of which only a part is looked at, so that it has no model.

    Raises
    ------
    DataError
        It is too large or not JSON. The content is not shown.
    """
    raw = content.encode() if isinstance(content, str) else content
    _check_size(raw, max_bytes, source=source)
    try:
        value: JsonValue = json.loads(raw)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise DataError(f"is not JSON: {reason}", where=source, fix=fix) from error
    return value


def schema_text(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a file that holds `model`, with a final newline."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **schema}, indent=2, ensure_ascii=False) + "\n"


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read the YAML file at `path` as a `model`.

    Raises
    ------
    DataError
        The file is missing, too large, not UTF-8, not YAML, or does not fit the model.
    """
    source = str(path)
    return parse_yaml(decode_text(read_bounded(path), source=source), model, source=source)


def parse_yaml(text: str, model: type[Model], *, source: str) -> Model:
    """Parse YAML `text` as a `model`; `source` is the file's name in the problems.

    Raises
    ------
    DataError
        With one problem for each thing that is wrong.
    """
    content = load_yaml(text, source=source).content
    if not isinstance(content, dict):
        names = {list: "a list", str: "text", type(None): "nothing"}
        held = names.get(type(content), f"a {type(content).__name__}")
        expected = "fields, one `name: value` each"
        raise DataError(f"holds {held}", where=source, expected=expected)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DataError(*field_problems(error, source)) from error


class _StrictComposer(yaml.composer.Composer):
    """PyYAML's composer without anchors, aliases, repeated keys and deep nesting.

    An alias lets a document of a few hundred bytes stand for one of gigabytes (the "billion
    laughs"); nothing that the harness reads needs one.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, unless it is an alias, an anchor or too deep."""
        event = self.peek_event()  # type: ignore[attr-defined]  # the parser's, mixed in below
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refusal("anchors and aliases are not allowed: write the value out", event)
        if self._depth >= MAX_DEPTH:
            raise _refusal(f"nested more than {MAX_DEPTH} deep", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: dict[str, yaml.Node]) -> yaml.MappingNode:
        """Compose a mapping, unless a key is repeated or is no word."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refusal("a key is no word", key)
            if key.value in seen:
                raise _refusal(f"the key {key.value[:80]!r} is given twice", key)
            seen.add(key.value)
        return node


class _ValueLoader(_StrictComposer, yaml.SafeLoader):
    """Makes plain values."""


class _TextLoader(_StrictComposer, yaml.BaseLoader):
    """Makes text, lists and mappings alone."""


def _refusal(what: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=cast("yaml.Mark", place.start_mark))


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlDocument:
    """What a YAML document holds.

    Attributes
    ----------
    lines : mapping of str to int
        Line of each top-level field, from 1.
    """

    content: object
    lines: Mapping[str, int]


def load_yaml(text: str, *, source: str, as_text: bool = False) -> YamlDocument:
    """Load YAML; `as_text` leaves numbers, dates and the like as they are written.

    Raises
    ------
    DataError
        It is malformed, nested too deeply, or has an anchor, an alias or a key twice.
    """
    try:
        loader = _TextLoader(text) if as_text else _ValueLoader(text)
        node = loader.get_single_node()
        content = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise DataError(_yaml_problem(error, source)) from error
    except (ValueError, RecursionError) as error:
        # PyYAML lets dates such as 2021-02-30 and integers of 5,000 digits raise by themselves.
        raise DataError(f"not readable: {error}", where=source) from error
    fields = node.value if isinstance(node, yaml.MappingNode) else ()
    lines = {key.value: key.start_mark.line + 1 for key, _ in fields}
    return YamlDocument(content=content, lines=lines)


def _yaml_problem(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Problem(
        what=f"is not the YAML that is read here: {what}"[:300],
        where=f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source,
        fix="put text with : or # in quotes, and indent with spaces",
    )


# --- Writing --------------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path, *, is_kept: bool = True, fix: str = _FIX) -> Iterator[Path]:
    """Give another name to write a file or a folder to; moved to `path` if all went well.

    The other name is always the same, so what a killed process left is written over. What is
    kept is flushed to the disk before it is moved.

    Raises
    ------
    EnvironmentFaultError
        It cannot be written; nothing is left behind.
    """
    part = path.with_name(f"{path.name}{PART_SUFFIX}")
    try:
        yield part
        if is_kept:
            _flush(part)
        part.replace(path)
    except OSError as error:
        remove(part)
        raise disk_fault(path.parent, error, fix=fix) from error
    except BaseException:
        remove(part)
        raise


@contextmanager
def writing(path: Path, *, is_kept: bool = True, fix: str = _FIX) -> Iterator[BufferedRandom]:
    """Open the file that `replacing` moves to `path`, for writing and reading."""
    with replacing(path, is_kept=is_kept, fix=fix) as part, part.open("w+b") as stream:
        yield stream


def write_whole(path: Path, content: bytes, *, fix: str = _FIX) -> Path:
    """Write a file whole or not at all, as `replacing` does; return its path."""
    make_folder(path.parent, fix=fix)
    with writing(path, fix=fix) as stream:
        stream.write(content)
    return path


def write_json(path: Path, document: BaseModel, *, indent: int = 1, fix: str = _FIX) -> Path:
    """Write a document as JSON, whole or not at all; return its path."""
    text = document.model_dump_json(indent=indent, by_alias=True)
    return write_whole(path, text.encode() + b"\n", fix=fix)


@contextmanager
def replacing_folder(path: Path, *, fix: str = _FIX) -> Iterator[Path]:
    """Give an empty folder to fill; moved to `path`, which must not be there, if all went well."""
    make_folder(path.parent, fix=fix)
    with replacing(path, fix=fix) as part:
        remove(part)
        part.mkdir()
        yield part


def remove_parts(folder: Path) -> None:
    """Remove what killed runs left in `folder`; nobody may be writing there."""
    for part in folder.glob(f"*{PART_SUFFIX}"):
        remove(part)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_new(path: Path) -> None:
    """Check that nothing is at `path` yet.

    Raises
    ------
    UsageError
        There is a file or a folder.
    """
    if path.exists():
        raise UsageError("the file is there already", where=str(path), fix="name another")


def make_folder(folder: Path, *, fix: str = _FIX) -> None:
    """Make `folder` and its parents.

    Raises
    ------
    EnvironmentFaultError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(folder, error, fix=fix) from error


@contextmanager
def held_alone(lock: Path, *, what: str, where: Path, fix: str) -> Iterator[None]:
    """Keep other runs from `what`, as long as the file `lock` is held; nobody waits for it.

    Raises
    ------
    UsageError
        Another run holds it.
    EnvironmentFaultError
        The disk keeps no locks.
    """
    from filelock import FileLock, Timeout  # slow to import, and few commands need it

    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise UsageError(f"another run is {what}", where=str(where), fix=fix) from error
    except OSError as error:
        raise disk_fault(where, error) from error
    try:
        yield
    finally:
        held.release()


def check_space(folder: Path, n_bytes: int) -> None:
    """Compare the free space of the disk of `folder` with the bytes to be written.

    Raises
    ------
    EnvironmentFaultError
        There is too little.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes + SPARE_BYTES:
        raise EnvironmentFaultError(
            f"{free / 1e9:.2f} GB are free",
            where=str(folder),
            expected=f"{(n_bytes + SPARE_BYTES) / 1e9:.2f} GB",
            fix=f"make room, or {_ANOTHER_DISK}",
        )


def disk_fault(path: Path, error: OSError, *, fix: str = _FIX) -> EnvironmentFaultError:
    """Say that a folder or file cannot be written, why, and what to do."""
    reason = error.strerror or str(error).partition("\n")[0] or type(error).__name__
    return EnvironmentFaultError(f"cannot be written: {reason}", where=str(path), fix=fix)


# --- Digests and versions -------------------------------------------------------------------------


def file_checksum(path: Path, algorithm: str = "sha256", progress: Progress = no_progress) -> str:
    """Return ``algorithm:hex`` of the file at `path`."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open_regular(path) as stream:
        total = os.fstat(stream.fileno()).st_size
        while block := stream.read(4 * 1024**2):
            digest.update(block)
            progress(f"checksum of {path.name}", stream.tell(), total, "bytes")
    return f"{algorithm}:{digest.hexdigest()}"


def fast_digest(path: Path) -> str:
    """Return the BLAKE3 digest of the file at `path`, in hexadecimal: several GB/s.

    It is read, not mapped: a map that is read through counts as resident memory to its end.
    """
    from blake3 import blake3

    digest = blake3(max_threads=blake3.AUTO)
    block = memoryview(bytearray(8 * 1024**2))
    with path.open("rb", buffering=0) as file:
        while n_bytes := file.readinto(block):
            digest.update(block[:n_bytes])
    return digest.hexdigest()


def package_version(package: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
