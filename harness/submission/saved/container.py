"""The files of a saved Keras model: its configuration and its arrays, and nothing that runs.

A model is one ``.h5`` or ``.keras`` file, or ``model.json`` with a file of weights. Keras itself
does not read them here: no class is looked up by a name in a file, and nothing is unpickled.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from harness.card.text import plain
from harness.errors import DataError, InvalidSubmissionError
from harness.files import load_json, read_bounded, read_up_to
from harness.submission.digest import MAX_FILE_BYTES

if TYPE_CHECKING:
    import h5py

Array = NDArray[np.generic]
MAX_CONFIG_BYTES = 8 * 1024**2
MAX_ARRAYS = 10_000
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_KINDS = "a .h5 or .keras file, or model.json with a file of weights"
# The list of layers in files of weights; Keras 2.12 and 2.13 wrote the second.
_LISTS = ("layers", "_layer_checkpoint_dependencies")
_NAME_LISTS = ("weight_names", *(f"weight_names{n}" for n in range(100)))


@dataclass(frozen=True, slots=True)
class Arrays:
    """The weights of a model, by either of the ways in which Keras files them.

    Attributes
    ----------
    by_name : dict
        For each layer at the top, the path of each of its arrays and the array. Keras 2 files
        them so in ``.h5``; a model within the model holds the arrays of all its layers.
    by_place : dict
        For each place in the file, such as ``layers/dense_1``, its arrays in order: ``.keras``
        and ``.weights.h5``.
    """

    by_name: Mapping[str, tuple[tuple[str, Array], ...]] | None
    by_place: Mapping[str, tuple[Array, ...]] | None

    def of_layer(self, names: tuple[str, ...], place: str) -> tuple[Array, ...]:
        """Return the arrays of the layer whose own and whose models' names are `names`."""
        if self.by_name is None:
            return (self.by_place or {}).get(place, ())
        found = self.by_name.get(names[0], ())
        if len(names) == 1:
            return tuple(array for _, array in found)
        ending = names[-1]
        return tuple(array for path, array in found if path.split("/")[-2:-1] == [ending])


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A saved model before any layer of it is built.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    config : mapping
        The configuration of the model: ``class_name`` and ``config``.
    version : str
        Of the Keras that saved it; empty where the file names none.
    arrays : Arrays
        Its weights.
    """

    name: str
    config: Mapping[str, Any]
    version: str
    arrays: Arrays

    @property
    def is_keras_3(self) -> bool:
        """Whether Keras 3 or later saved it."""
        return self.version.partition(".")[0] not in ("", "1", "2")


def read_saved(path: Path, weights: Path | None = None) -> SavedModel:
    """Read a saved model and its weights.

    Parameters
    ----------
    path : Path
        What ``model.save`` wrote, or the text of ``model.to_json()``.
    weights : Path, optional
        With the latter: what ``model.save_weights`` wrote.

    Raises
    ------
    InvalidSubmissionError
        The files are missing, damaged, too large, or no saved model.
    """
    try:
        return _read_saved(path, weights)
    except DataError as error:
        raise InvalidSubmissionError(*error.problems) from error


def _read_saved(path: Path, weights: Path | None) -> SavedModel:
    content = _read(path)
    if content.startswith(_ZIP):
        _no_second_file(path, weights)
        return _read_archive(path.name, content)
    if content.startswith(_HDF5):
        if weights is not None:
            raise _is_weights(path.name)
        with _opened(content, path.name) as file:
            text = _text(file.attrs.get("model_config"), path.name)
            version = file.attrs.get("keras_version", "")
            arrays = _read_arrays(file, path.name)
        return SavedModel(path.name, _config(text, path.name), _version(version), arrays)
    if content.lstrip()[:1] == b"{":
        config = _config(content, path.name)
        if weights is None:
            raise InvalidSubmissionError(
                "is the configuration of a model without its weights",
                where=path.name,
                expected=_KINDS,
                fix="name the file that model.save_weights wrote too: `--weights w.h5`",
            )
        with _opened(_read(weights), weights.name) as file:
            arrays = _read_arrays(file, weights.name)
        return SavedModel(path.name, config, _version(config.get("keras_version", "")), arrays)
    begin = f"it begins with {content[:8]!r}" if content else "it is empty"
    raise InvalidSubmissionError(
        f"is no saved Keras model: {begin}",
        where=path.name,
        expected=_KINDS,
        fix='write it by model.save("model.h5"); is Git LFS installed?',
    )


def _read(path: Path) -> bytes:
    return read_bounded(path, MAX_FILE_BYTES, expected=_KINDS)


def _no_second_file(path: Path, weights: Path | None) -> None:
    if weights is not None:
        raise InvalidSubmissionError(
            "holds its weights itself", where=path.name, fix=f"leave {weights.name} out"
        )


def _is_weights(name: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        "is HDF5, and there is a second file of weights",
        where=name,
        expected="model.json with a file of weights",
        fix="write the configuration by model.to_json(), or name one file of model.save alone",
    )


def _version(value: object) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return text[:20] if isinstance(text, str) else ""


def _text(value: object, name: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise InvalidSubmissionError(
        "holds no configuration of a model, at most weights",
        where=name,
        expected=_KINDS,
        fix="write it by model.save(...), or add the text of model.to_json() as model.json",
    )


def _config(text: bytes, name: str) -> Mapping[str, Any]:
    config = load_json(text, source=f"{name}, configuration", max_bytes=MAX_CONFIG_BYTES)
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        return cast("Mapping[str, Any]", config)
    raise InvalidSubmissionError(
        "is JSON, but not of a Keras model", where=name, expected="what model.to_json() gives"
    )


# --- .keras ---------------------------------------------------------------------------------------


def _read_archive(name: str, content: bytes) -> SavedModel:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            config = _config(_member(archive, "config.json", MAX_CONFIG_BYTES), name)
            metadata = load_json(_member(archive, "metadata.json", MAX_CONFIG_BYTES), source=name)
            weights = _member(archive, "model.weights.h5", MAX_FILE_BYTES)
    except KeyError as error:
        raise InvalidSubmissionError(
            f"lacks a part: {str(error)[:80]}", where=name, expected=_KINDS
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ValueError,
        NotImplementedError,
        RuntimeError,  # of an encrypted member
        EOFError,
        OSError,
    ) as error:
        raise InvalidSubmissionError(
            f"is damaged: {plain(str(error))[:200]}", where=name, fix="write or copy it again"
        ) from error
    version = metadata.get("keras_version", "") if isinstance(metadata, dict) else ""
    with _opened(weights, name) as file:
        return SavedModel(name, config, _version(version), _read_arrays(file, name))


def _member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{name} is packed in a way that Keras does not use")
    with archive.open(info) as stream:
        content = read_up_to(cast("Any", stream), max_bytes + 1)
    if len(content) > max_bytes:
        raise zipfile.BadZipFile(f"{name} holds more than {max_bytes:,} bytes")
    return content


# --- HDF5 -----------------------------------------------------------------------------------------


@contextmanager
def _opened(content: bytes, name: str) -> Iterator[h5py.File]:
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError) as error:
        reason = plain(str(error)).partition("\n")[0][:200]
        raise InvalidSubmissionError(
            f"HDF5 cannot read it: {reason}", where=name, fix="write or copy it again"
        ) from error


def _read_arrays(file: h5py.File, name: str) -> Arrays:
    reader = _Reader(name)
    root = reader.group(file, "model_weights") or file
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        return Arrays(reader.by_name(root), None)
    for listed in _LISTS:
        if layers := reader.group(root, listed):
            return Arrays(None, dict(reader.by_place(layers, "layers")))
    return Arrays({}, None)


class _Reader:
    """Reads arrays of one file, up to a limit of all together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_bytes = 0
        self.n_arrays = 0

    def group(self, parent: h5py.Group, name: str) -> h5py.Group | None:
        import h5py

        found = self._member(parent, name)
        return found if isinstance(found, h5py.Group) else None

    def _member(self, parent: h5py.Group, name: str) -> object:
        """Return what `parent` holds under this one name; a link elsewhere is refused."""
        import h5py

        if "/" in name or name in ("", ".", ".."):
            return None
        link = parent.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise InvalidSubmissionError(
                f"{plain(name)[:80]} is a link to somewhere else",
                where=self.name,
                expected="weights that are in the file itself",
                fix="write the file again by model.save",
            )
        return parent.get(name)

    def by_name(self, root: h5py.Group) -> dict[str, tuple[tuple[str, Array], ...]]:
        found = {}
        for name in root:
            if (group := self.group(root, name)) is not None:
                paths = [path for key in _NAME_LISTS for path in _names(group.attrs.get(key))]
                found[name] = tuple((path, self._at(group, path)) for path in paths)
        return found

    def _at(self, group: h5py.Group, path: str) -> Array:
        *parents, last = path.split("/")
        inner: h5py.Group | None = group
        for name in parents:
            inner = self.group(inner, name) if inner is not None else None
        return self._array(self._member(inner, last) if inner is not None else None, path)

    def by_place(
        self, group: h5py.Group, place: str, depth: int = 0
    ) -> Iterator[tuple[str, tuple[Array, ...]]]:
        """Yield the arrays of each layer below a list of layers; see `Arrays.by_place`."""
        if depth > 8:
            raise InvalidSubmissionError("models within models, more than 8 deep", where=self.name)
        for name in group:
            layer = self.group(group, name)
            if layer is None:
                continue
            if (variables := self.group(layer, "vars")) is not None:
                numbers = sorted((key for key in variables if key.isdecimal()), key=int)
                members = [self._member(variables, key) for key in numbers]
                where = f"{place}/{name}"
                yield where, tuple(self._array(member, where) for member in members)
            for listed in _LISTS:
                if (inner := self.group(layer, listed)) is not None:
                    yield from self.by_place(inner, f"{place}/{name}/layers", depth + 1)

    def _array(self, found: object, path: str) -> Array:
        import h5py

        where = f"{self.name}, {plain(path)[:120]}"
        if not isinstance(found, h5py.Dataset):
            raise InvalidSubmissionError("a list names it, and it is not there", where=where)
        if found.external or found.is_virtual:
            raise InvalidSubmissionError("its numbers are in another file", where=where)
        if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8:
            raise InvalidSubmissionError(f"holds {found.dtype}", where=where, expected="numbers")
        self.n_bytes += int(found.size or 0) * found.dtype.itemsize
        self.n_arrays += 1
        if self.n_bytes > MAX_FILE_BYTES or self.n_arrays > MAX_ARRAYS:
            raise InvalidSubmissionError(
                f"more than {MAX_FILE_BYTES:,} bytes of weights, or than {MAX_ARRAYS:,} arrays",
                where=self.name,
            )
        array = np.asarray(found[()])
        if not np.isfinite(array).all():
            raise InvalidSubmissionError("holds values that are not finite", where=where)
        return array


def _names(value: object) -> Iterator[str]:
    if isinstance(value, np.ndarray):
        for name in value.ravel()[:MAX_ARRAYS].tolist():
            if isinstance(name, bytes | str):
                yield name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def snake_case(class_name: str) -> str:
    """Return the name of a class as Keras writes it in files: ``QDense`` is ``q_dense``.

    Examples
    --------
    >>> [snake_case(name) for name in ("Dense", "Conv2D", "QBatchNormalization")]
    ['dense', 'conv2d', 'q_batch_normalization']
    """
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
