"""Which files of a submission count, what may not be there, and what the digest depends on."""

from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from harness.errors import InvalidSubmissionError
from harness.submission import digest
from harness.submission.digest import folder_digest, scan, stage


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder of three files."""
    path = tmp_path / "team_a"
    (path / "parts").mkdir(parents=True)
    (path / "model.py").write_text("def network(): ...\n")
    (path / "weights.h5").write_bytes(b"\x00\x01")
    (path / "parts" / "encoder.py").write_text("")
    return path


def digest_of(path: Path) -> str:
    return folder_digest(path, scan(path).files)


def told(path: Path) -> str:
    return "\n".join(str(problem) for problem in scan(path).problems)


def test_files_are_listed_in_order(folder):
    found = scan(folder)
    assert [str(path) for path in found.files] == ["model.py", "parts/encoder.py", "weights.h5"]
    assert found.problems == ()


def test_what_tools_leave_behind_does_not_count(folder):
    before = digest_of(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    os.utime(folder / "model.py", (0, 0))
    (folder / "model.py").chmod(0o755)
    assert digest_of(folder) == before
    assert told(folder) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("._model.py", "__MACOSX", ".ipynb_checkpoints", "desktop.ini", "THUMBS.DB", "Icon\r"),
        *(
            "model.py~",
            ".model.py.swp",
            "#model.py#",
            "~$notes.docx",
            "parts/.nfs0001",
            ".ruff_cache",
        ),
    ],
)
def test_what_systems_and_editors_leave_behind_does_not_count(folder, tmp_path, name):
    before = digest_of(folder)
    (folder / name).write_bytes(b"\0")
    found = scan(folder)
    assert [str(path) for path in found.leftovers] == [name]
    assert (found.problems, digest_of(folder)) == ((), before)
    copy = stage(folder, found.files, tmp_path / "copy" / "team_a", before)
    assert not (copy / name).exists()


def test_a_lock_of_an_editor_is_no_link_of_the_submission(folder):
    (folder / ".#model.py").symlink_to("somebody@somewhere.1234")
    assert told(folder) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "model.py").write_text("def network():  ...\n"),
        lambda f: (f / "model.py").rename(f / "Model.py"),
        lambda f: (f / "new").write_text(""),
        lambda f: (f / "parts" / "encoder.py").rename(f / "encoder.py"),
        lambda f: (f / "weights.h5").unlink(),
    ],
)
def test_the_digest_depends_on_names_and_contents(folder, change):
    before = digest_of(folder)
    change(folder)
    assert digest_of(folder) != before


def test_content_cannot_pass_for_a_name(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for path, name, content in ((first, "ab", b"c"), (second, "a", b"bc")):
        path.mkdir()
        (path / name).write_bytes(content)
    assert digest_of(first) != digest_of(second)


def test_the_digest_is_the_same_for_both_forms_of_an_accent(tmp_path):
    digests = set()
    for form in ("NFC", "NFD"):
        path = tmp_path / form
        path.mkdir()
        (path / unicodedata.normalize(form, "mémoire.txt")).write_text("x")
        digests.add(digest_of(path))
    assert len(digests) == 1


def test_links_pipes_and_sockets_are_refused_and_named(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "dirlink").symlink_to(tmp_path)
    (folder / "dangling").symlink_to("nowhere")
    os.link(tmp_path / "secret", folder / "hard")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
        text = told(folder)
    for part in (
        "link: is a symbolic link",
        "dirlink: is a symbolic link",
        "dangling: is a symbolic link",
        "hard: is a hard link: the file has 2 names",
        "pipe: is a named pipe",
        "socket: is a socket",
    ):
        assert part in text


def test_compiled_python_is_refused(folder):
    (folder / "parts.pyc").write_bytes(b"x")
    assert "parts.pyc: is compiled Python" in told(folder)


@pytest.mark.parametrize("name", ["new\nline", "back\\slash", "\x1b[31m", "\udcff", "x" * 201])
def test_names_that_are_no_text_are_refused(folder, name):
    (folder / name).write_text("")
    assert "rename the file" in told(folder)
    assert name.isprintable() or name not in told(folder)


def test_too_many_too_large_and_too_deep_are_refused(folder, monkeypatch):
    monkeypatch.setattr(digest, "MAX_FILES", 10)
    monkeypatch.setattr(digest, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(digest, "MAX_FOLDER_BYTES", 150)
    (folder / "large").write_bytes(bytes(101))
    assert "large: 0.0 MiB" in told(folder)
    (folder / "other").write_bytes(bytes(99))
    assert "in all" in told(folder)
    for number in range(20):
        (folder / f"file{number}").write_text("")
    assert "more than 10 files" in told(folder)
    (folder / "/".join("abcdefgh")).mkdir(parents=True)
    assert "deeper than 6" in told(folder)


def test_a_staged_copy_holds_what_counts_and_no_more(folder, tmp_path):
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "hidden.npy").write_bytes(b"x")
    found = scan(folder)
    copy = stage(folder, found.files, tmp_path / "copy" / "team_a", digest_of(folder))
    assert scan(copy).files == found.files
    assert not (copy / "__pycache__").exists()


def test_a_submission_that_changes_while_it_is_read_is_refused(folder, tmp_path):
    found = scan(folder)
    before = digest_of(folder)
    (folder / "model.py").write_text("changed")
    with pytest.raises(InvalidSubmissionError, match="changed while it was read"):
        stage(folder, found.files, tmp_path / "copy", before)


def test_a_link_put_in_place_of_a_file_is_not_followed(folder, tmp_path):
    found = scan(folder)
    before = digest_of(folder)
    (folder / "weights.h5").unlink()
    (folder / "weights.h5").symlink_to("/etc/hostname")
    with pytest.raises(InvalidSubmissionError, match=r"weights\.h5"):
        stage(folder, found.files, tmp_path / "copy", before)


def test_a_pipe_that_takes_the_place_of_a_file_is_refused_and_never_waited_for(folder, tmp_path):
    files = scan(folder).files
    known = digest_of(folder)
    (folder / "weights.h5").unlink()
    os.mkfifo(folder / "weights.h5")

    for read in (
        lambda: stage(folder, files, tmp_path / "copy", known),
        lambda: folder_digest(folder, files),
    ):
        with pytest.raises(InvalidSubmissionError, match="is no regular file"):
            read()
