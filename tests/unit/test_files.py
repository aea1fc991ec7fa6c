"""Files are read with limits and written whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest
from pydantic import Field

from harness.challenge import Value
from harness.errors import DataError, EnvironmentFaultError
from harness.files import (
    file_checksum,
    load_yaml,
    package_version,
    parse_json,
    parse_yaml,
    read_json,
    remove_parts,
    replacing_folder,
    write_json,
    write_whole,
    writing,
)


class Pair(Value):
    """A document."""

    schema_: int = Field(default=1, alias="schema")
    name: str


def test_a_document_comes_back_from_json_as_it_was_written(tmp_path):
    path = write_json(tmp_path / "new" / "pair.json", Pair(name="one"))
    assert path.read_text() == '{\n "schema": 1,\n "name": "one"\n}\n'
    assert read_json(path, Pair) == Pair(name="one")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{", "the whole file: Invalid JSON"),
        (b'{"name": "secret-1", "schema": "secret-2"}', "schema: Input should be a valid integer"),
        (b"{}", "name: Field required"),
        (b" " * 1001, "larger than 1,000 bytes"),
    ],
)
def test_json_that_does_not_fit_is_told_without_its_content(content, what):
    with pytest.raises(DataError) as caught:
        parse_json(content, Pair, source="p.json", max_bytes=1000, fix="restore it")
    assert caught.value.problems[0].what.startswith(what)
    assert caught.value.problems[0].where == "p.json"
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match="not readable: No such file") as caught:
        read_json(tmp_path / "none.json", Pair, fix="find it")
    assert caught.value.problems[0].fix == "find it"


def test_yaml_problems_name_each_field_and_show_its_value():
    with pytest.raises(DataError) as caught:
        parse_yaml("schema: a word\nnam: x\n", Pair, source="p.yaml")
    told = str(caught.value)
    for part in ("p.yaml: schema: 'a word'", "p.yaml: name: missing", "p.yaml: nam: unknown"):
        assert part in told


def test_yaml_as_text_leaves_values_as_they_are_written_and_knows_their_lines():
    document = load_yaml("a: 1.50\nb: [yes, 2026-01-01]\n", source="p.yaml", as_text=True)
    assert document.content == {"a": "1.50", "b": ["yes", "2026-01-01"]}
    assert document.lines == {"a": 1, "b": 2}
    assert load_yaml("a: 1.50\n", source="p.yaml").content == {"a": 1.5}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x 1\n", "anchors and aliases are not allowed"),
        ("a: {b: 1, b: 2}\n", "the key 'b' is given twice"),
        ("? [a]\n: b\n", "a key is no word"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 32 deep"),
        ("a: [", "expected the node content"),
    ],
)
def test_yaml_is_strict_however_it_is_read(text, what, as_text):
    with pytest.raises(DataError, match=what):
        load_yaml(text, source="p.yaml", as_text=as_text)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = write_whole(tmp_path / "x", b"old")
    with pytest.raises(TypeError), writing(path) as stream:
        stream.writelines([b"new", None])
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["x"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(EnvironmentFaultError, match="No space left on device") as caught:
        write_whole(tmp_path / "x", b"new", fix="name another")
    assert caught.value.problems[0].fix == "name another"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / "made.part").mkdir()
    (tmp_path / "made.part" / "left by a killed run").touch()
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "made"):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []
    with replacing_folder(tmp_path / "made") as folder:
        (folder / "x").touch()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["x"]


def test_what_killed_runs_left_is_removed(tmp_path):
    (tmp_path / "x.part").touch()
    (tmp_path / "y.part").mkdir()
    (tmp_path / "z").touch()
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["z"]


def test_a_checksum_names_its_algorithm(tmp_path):
    path = write_whole(tmp_path / "x", b"abc")
    assert file_checksum(path, "md5") == "md5:900150983cd24fb0d6963f7d28e17f72"


def test_only_what_is_installed_has_a_version():
    assert package_version("numpy")
    assert package_version("no-such-package-is-installed") is None
