"""YAML documents of unknown origin: read with limits, every problem named with its place."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import Problem

MAX_DOCUMENT_BYTES = 1024**2
MAX_DEPTH = 32

Model = TypeVar("Model", bound=BaseModel)


class DocumentError(ValueError):
    """A document that could not be read; holds all that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without anchors, aliases, repeated keys and deep nesting.

    An alias lets a document of a few hundred bytes stand for one of gigabytes (the "billion
    laughs"); nothing that the harness reads needs one.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, unless it is an alias, an anchor or too deep."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.constructor.ConstructorError(
                None, None, "anchors and aliases are not allowed", event.start_mark
            )
        if self._depth >= MAX_DEPTH:
            raise yaml.constructor.ConstructorError(
                None, None, f"nested more than {MAX_DEPTH} deep", event.start_mark
            )
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, object]:
        """Construct a mapping, unless a key is repeated."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(getattr(key, "value", key))
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} is given twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def parse_document(text: str, model: type[Model], *, source: str) -> Model:
    """Parse YAML `text` as a `model`.

    Parameters
    ----------
    text : str
        The document.
    model : type
        A pydantic model.
    source : str
        File name used in the problems.

    Raises
    ------
    DocumentError
        With one problem for each thing that is wrong.
    """
    try:
        # S506: the loader derives from SafeLoader.
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise DocumentError((_yaml_problem(error, source),)) from error
    except (ValueError, RecursionError) as error:
        # PyYAML lets dates such as 2021-02-30 and integers of 5,000 digits raise by themselves.
        raise DocumentError((Problem(what=f"not readable: {error}", where=source),)) from error
    if not isinstance(content, dict):
        problem = Problem(
            what=f"holds {_kind(content)}", where=source, expected="fields, one `name: value` each"
        )
        raise DocumentError((problem,))
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DocumentError(field_problems(error, source)) from error


def read_document(path: Path, model: type[Model]) -> Model:
    """Read the YAML file at `path` as a `model`.

    Raises
    ------
    DocumentError
        The file is missing, too large, not UTF-8, not YAML, or does not fit the model.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DocumentError((Problem(what=f"not readable: {reason}", where=str(path)),)) from error
    if len(data) > MAX_DOCUMENT_BYTES:
        problem = Problem(
            what="larger than 1 MiB", where=str(path), expected="a file of a few kilobytes"
        )
        raise DocumentError((problem,))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(
            what=f"not UTF-8 at byte {error.start}", where=str(path), fix="save it as UTF-8"
        )
        raise DocumentError((problem,)) from error
    return parse_document(text, model, source=str(path))


def field_problems(error: ValidationError, source: str) -> tuple[Problem, ...]:
    """Tell each complaint of pydantic as a problem with the path of its field."""
    return tuple(_field_problem(detail, source) for detail in error.errors(include_url=False))


def _field_problem(detail: ErrorDetails, source: str) -> Problem:
    field = ""
    for part in detail["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    kind, message = str(detail["type"]), str(detail["msg"]).removeprefix("Value error, ")
    where = f"{source}: {field}" if field else source
    if kind == "extra_forbidden":
        return Problem(what="unknown field", where=where, fix="remove it or correct its name")
    if kind == "missing":
        return Problem(what="missing field", where=where, fix="add it")
    given = repr(detail.get("input"))
    shown = given if len(given) <= 60 else f"{given[:57]}..."
    return Problem(what=f"{shown} is not accepted", where=where, expected=message)


def _yaml_problem(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
    what = getattr(error, "problem", None) or "not YAML"
    return Problem(what=str(what), where=where, expected="YAML")


def _kind(content: object) -> str:
    names = {list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(content), f"a {type(content).__name__}")
