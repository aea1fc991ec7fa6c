"""The static check of a submission: all that is wrong, at once, without running any of it."""

from __future__ import annotations

import ast
import codecs
import importlib.util
import io
import struct
import sys
import tokenize
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import InvalidSubmissionError, Problem, UsageError
from harness.submission.declaration import Spec, read_spec
from harness.submission.digest import Scan, folder_digest, read_regular, scan, stage
from harness.submission.leftovers import describe_leftovers, is_leftover
from harness.submission.packages import Division, advise_missing
from harness.submission.reads import files_read

MAX_SOURCE_BYTES = 1024**2
_FUNCTIONS = {"trigger": ("network", 0), "open": ("score", 1)}
_WEIGHT_SUFFIXES = frozenset(
    {".h5", ".hdf5", ".keras", ".npz", ".npy", ".onnx", ".pkl", ".joblib", ".skops"}
)
_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "ascii"})
# The list of the files in a zip archive: 4 MiB are some 50,000 files.
_MAX_ZIP_LIST_BYTES = 4 * 1024**2
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill"})
_ZIP_SUFFIXES = frozenset({".keras", ".npz", ".skops"})
_HDF5_SUFFIXES = frozenset({".h5", ".hdf5"})
# Fields with which an ONNX file can begin, and whether they are numbers (0) or parts (2).
_ONNX_FIELDS = frozenset({(1, 0), (5, 0), *((number, 2) for number in (2, 3, 4, 6, 7, 8, 14))})
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A submission without static faults.

    Attributes
    ----------
    folder : Path
        Where it lies.
    spec : Spec
        Its `submission.yaml`.
    files : tuple of PurePosixPath
        The files that count.
    digest : str
        ``sha256:`` of these files.
    """

    folder: Path
    spec: Spec
    files: tuple[PurePosixPath, ...]
    digest: str

    @property
    def source(self) -> str:
        """What its network is read from."""
        return self.spec.model or "network() of model.py"

    def stage(self, parent: Path) -> Path:
        """Copy the files that count below `parent`, for a sandbox to see; return the folder.

        Raises
        ------
        InvalidSubmissionError
            The files changed since they were read.
        """
        return stage(self.folder, self.files, parent / self.spec.team, self.digest)


def read_submission(folder: Path, tell: Callable[[str], None] = lambda _: None) -> Submission:
    """Read a submission; all static faults are raised at once.

    Parameters
    ----------
    folder : Path
        ``submissions/<team>``.
    tell : callable
        Receives a line that names what was ignored, if anything was.

    Raises
    ------
    UsageError
        There is no such folder.
    InvalidSubmissionError
        `validate` finds problems.
    """
    if problem := _missing_folder(folder):
        raise UsageError(problem)
    found = scan(folder)
    if found.leftovers:
        tell(describe_leftovers(found.leftovers))
    spec, problems = _check(folder, found)
    if problems or spec is None:
        raise InvalidSubmissionError(*problems)
    digest = folder_digest(folder, found.files)
    return Submission(folder=folder, spec=spec, files=found.files, digest=digest)


def _missing_folder(folder: Path) -> Problem | None:
    """Return the problem that there is no such folder, if so."""
    if folder.is_dir():
        return None
    return Problem(
        what="is no folder" if folder.exists() else "no such folder",
        where=str(folder),
        expected="the folder of a submission, such as submissions/team_x",
        fix="check the path, or run `harness new` for a skeleton",
    )


def validate(folder: Path) -> list[Problem]:
    """Find all that is wrong with a submission; none of its code is run, no file deserialised.

    Parameters
    ----------
    folder : Path
        ``submissions/<team>``.

    Returns
    -------
    list of Problem
        Empty if nothing is wrong that can be seen without a run.
    """
    if problem := _missing_folder(folder):
        return [problem]
    return _check(folder, scan(folder))[1]


def _check(folder: Path, found: Scan) -> tuple[Spec | None, list[Problem]]:
    """Return the declaration and all problems of the files that were found."""
    spec, problems = read_spec(folder)
    if spec is not None and spec.division == "declared":
        return spec, [*found.problems, *problems, *_scores_problems(found.files, spec.scores)]
    is_open = (spec.division if spec else _guess_division(folder)) == "open"
    division: Division = "open" if is_open else "trigger"
    return spec, [
        *found.problems,
        *problems,
        *_network_problems(folder, found.files, division, spec.model if spec else None),
        *_other_source_problems(folder, found.files, spec),
        *_weights_problems(folder, found.files, division),
    ]


def _scores_problems(files: tuple[PurePosixPath, ...], name: str | None) -> Iterator[Problem]:
    if PurePosixPath(name or "") not in files:
        yield Problem(
            what="no such file",
            where=str(name),
            expected="the scores that submission.yaml names",
            fix='numpy.savez("scores.npz", scores=...), a number for each event of '
            "harness.data.test_events(challenge)",
        )


def _network_problems(
    folder: Path, files: tuple[PurePosixPath, ...], division: Division, model: str | None
) -> Iterator[Problem]:
    """Look at what the network is read from: an ONNX file, or `model.py`."""
    if model is None:
        yield from _model_problems(folder, files, division)
    else:
        yield from _onnx_problems(folder, files, model)


def _onnx_problems(folder: Path, files: tuple[PurePosixPath, ...], name: str) -> Iterator[Problem]:
    """Look at the first bytes of an ONNX file; all else of it is read in a sandbox."""
    if PurePosixPath(name) not in files:
        yield Problem(
            what="no such file",
            where=name,
            expected="the ONNX file that submission.yaml names as `model`",
            fix="export it into this folder, for PyTorch by torch.onnx.export(..., "
            "external_data=False); or delete `model` if model.py has network()",
        )
        return
    head = read_regular(folder / name)[:1]
    # A field of the message ModelProto begins with 8 times its number plus its kind; see
    # https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
    if not head or (head[0] >> 3, head[0] & 7) not in _ONNX_FIELDS:
        yield Problem(
            what="is empty" if not head else "is no ONNX file",
            where=name,
            expected="what torch.onnx.export or onnx.save writes",
            fix="write it again; is Git LFS installed?",
        )


def _guess_division(folder: Path) -> Division:
    """Return the division of a submission whose declaration has faults."""
    try:
        text = read_regular(folder / "submission.yaml")[:100_000].decode("utf-8", errors="replace")
    except InvalidSubmissionError:
        return "trigger"
    lines = text.splitlines()
    is_open = any(line.split("#")[0].replace(" ", "") == "division:open" for line in lines)
    return "open" if is_open else "trigger"


def _model_problems(
    folder: Path, files: tuple[PurePosixPath, ...], division: Division
) -> Iterator[Problem]:
    path = PurePosixPath("model.py")
    if path not in files:
        yield Problem(
            what="no such file",
            where="model.py",
            expected=f"a module that defines {_signature(division)}",
            fix="run `harness new` for a skeleton",
        )
        return
    tree, problem = _parse(folder, path)
    if problem:
        yield problem
    if tree is not None:
        yield from _function_problems(tree, division)
        yield from _import_problems(tree, files, division)
        yield from _missing_file_problems(tree, files, division)


def _signature(division: Division) -> str:
    return "network()" if division == "trigger" else "score(events)"


def _parse(folder: Path, path: PurePosixPath) -> tuple[ast.Module | None, Problem | None]:
    raw = read_regular(folder / path)
    if len(raw) > MAX_SOURCE_BYTES:
        return None, Problem(
            what="is larger than 1 MiB", where=str(path), fix="keep weights in separate files"
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        if codecs.lookup(encoding).name not in _ENCODINGS:
            # Other codecs do work of any size, or return what is no text.
            return None, Problem(
                what=f"is written in {encoding[:40]}",
                where=f"{path}, line 1 or 2",
                expected="UTF-8",
                fix="save it as UTF-8, and delete the line that names another encoding",
            )
        return ast.parse(raw.decode(encoding), filename=str(path)), None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        shown = f": {error.text.strip()[:80]}" if error.text else ""
        return None, Problem(
            what=f"syntax error: {error.msg}{shown}",
            where=f"{path}{line}",
            expected=f"Python {sys.version_info.major}.{sys.version_info.minor}",
        )
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        # ValueError: null bytes, or not in the declared encoding; the others: absurd nesting.
        return None, Problem(what=f"cannot be read as Python: {error}"[:200], where=str(path))


def _function_problems(tree: ast.Module, division: Division) -> Iterator[Problem]:
    name, n_arguments = _FUNCTIONS[division]
    definition = _find_definition(tree, name)
    if definition is None:
        if not _binds(tree, name):
            other = "open" if division == "trigger" else "trigger"
            is_other = _binds(tree, _FUNCTIONS[other][0])
            yield Problem(
                what=f"defines no {_signature(division)}",
                where="model.py",
                expected=f"{_signature(division)} at the top level, for the {division} division",
                fix=f"set `division: {other}` in submission.yaml" if is_other else "define it",
            )
        return
    where = f"model.py, line {definition.lineno}"
    if isinstance(definition, ast.AsyncFunctionDef):
        yield Problem(what=f"{name} is asynchronous", where=where, fix="write `def`")
    arguments = definition.args
    n_positional = len(arguments.posonlyargs) + len(arguments.args)
    n_needed = n_positional - len(arguments.defaults)
    n_needed += sum(default is None for default in arguments.kw_defaults)
    takes = n_positional >= n_arguments or arguments.vararg is not None
    if n_needed > n_arguments or not takes:
        yield Problem(
            what=f"{name} cannot be called with {n_arguments} arguments",
            where=where,
            expected=_signature(division),
        )


def _find_definition(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    for node in reversed(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return node
    return None


def _binds(tree: ast.Module, name: str) -> bool:
    """Return whether a module may define `name` at its top level in any way."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, (ast.Import, ast.ImportFrom)) and any(
            (alias.asname or alias.name.split(".")[0]) in (name, "*") for alias in node.names
        ):
            return True
    return False


def _import_problems(
    tree: ast.Module, files: tuple[PurePosixPath, ...], division: Division
) -> Iterator[Problem]:
    """Name what is imported at the top level and is neither here nor in the submission."""
    own = {path.stem for path in files if path.suffix == ".py"} | {path.parts[0] for path in files}
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        else:
            continue
        for top in sorted({name.split(".")[0] for name in names} - own):
            if not _is_installed(top):
                yield Problem(
                    what=f"imports {top}, which is not installed here",
                    where=f"model.py, line {node.lineno}",
                    expected="packages of the harness, or modules in the submission",
                    fix=advise_missing(top, division),
                )


def _is_installed(name: str) -> bool:
    # find_spec on a name without dots looks for the package and imports nothing.
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ValueError, ImportError):
        return False


def _missing_file_problems(
    tree: ast.Module, files: tuple[PurePosixPath, ...], division: Division
) -> Iterator[Problem]:
    """Name weights that the source reads and that are missing."""
    names = {path.name for path in files}
    for text, line in files_read(tree, _FUNCTIONS[division][0]):
        name = PurePosixPath(text).name
        is_plain = not any(sign.isspace() or sign in "*?{}%" for sign in text)
        if is_plain and PurePosixPath(name).suffix in _WEIGHT_SUFFIXES and name not in names:
            yield Problem(
                what=f"reads {text[:80]!r}, which is not in the submission",
                where=f"model.py, line {line}",
                expected="the weights beside model.py",
                fix="give it another name: files of this name are ignored"
                if is_leftover(name)
                else "run train.py, or add the file",
            )


def _other_source_problems(
    folder: Path, files: tuple[PurePosixPath, ...], spec: Spec | None
) -> Iterator[Problem]:
    read = {PurePosixPath("model.py")} if spec is None or spec.model is None else set()
    for path in files:
        if path.suffix == ".py" and path not in read:
            _, problem = _parse(folder, path)
            if problem:
                yield problem


def _weights_problems(
    folder: Path, files: tuple[PurePosixPath, ...], division: Division
) -> Iterator[Problem]:
    for path in files:
        if division == "trigger" and path.suffix in _PICKLE_SUFFIXES:
            yield Problem(
                what="is a pickle, which runs code when it is read",
                where=str(path),
                expected="weights as .weights.h5 or .npz",
                fix="save them by model.save_weights or numpy.savez",
            )
        elif path.suffix in _ZIP_SUFFIXES:
            yield from _zip_problems(folder, path)
        elif path.suffix in _HDF5_SUFFIXES:
            yield from _hdf5_problems(folder, path)


def _zip_problems(folder: Path, path: PurePosixPath) -> Iterator[Problem]:
    content = read_regular(folder / path)
    # The record at the end of an archive: 22 bytes, the size of the list of files at the 12th.
    end = content[content.rfind(b"PK\x05\x06") :][:22]
    list_bytes = int.from_bytes(end[12:16], "little")
    try:
        if list_bytes > _MAX_ZIP_LIST_BYTES:
            raise zipfile.BadZipFile(f"its list of files has {list_bytes:,} bytes")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        yield Problem(
            what=f"is no whole {path.suffix} file: {error}",
            where=str(path),
            fix="write it again; was the disk full, or Git LFS not installed?",
        )


def _hdf5_problems(folder: Path, path: PurePosixPath) -> Iterator[Problem]:
    """Compare the size that an HDF5 file states in its superblock with the size of the file.

    See https://docs.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, section II.A.
    """
    content = read_regular(folder / path)
    size, head = len(content), content[:96]
    if not head.startswith(_HDF5_SIGNATURE):
        yield Problem(
            what="is no HDF5 file",
            where=str(path),
            expected="what model.save_weights writes",
            fix="write it again; is Git LFS installed?",
        )
        return
    stated = _stated_hdf5_size(head)
    if stated is not None and stated > size:
        yield Problem(
            what=f"is truncated: {size} bytes of {stated}",
            where=str(path),
            fix="write or copy it again",
        )


def _stated_hdf5_size(head: bytes) -> int | None:
    """Return the end-of-file address of a superblock, or None if its form is not known."""
    if len(head) < 48:
        return sys.maxsize
    version = head[8]
    if version in (0, 1):
        n_bytes, start = head[13], 24 + 4 * version
    elif version in (2, 3):
        n_bytes, start = head[9], 12
    else:
        return None
    if n_bytes not in (4, 8):
        return None
    # Base address, then free-space (0, 1) or extension (2, 3) address, then end of file.
    address = head[start + 2 * n_bytes : start + 3 * n_bytes]
    return int.from_bytes(address, "little")
