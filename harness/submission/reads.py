"""Which files the source of a plugin reads when it is called; nothing of it is run.

Only what is certain is named: a literal name in a call that reads, in code that the harness's call
reaches. A name in a docstring, in training code or in a call that writes is none, nor is one that
the code looks for first. A file that is missed here is missed when the code runs.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

_READING_CALLS = """
    from_keras load load_weights load_model load_npz loadtxt genfromtxt fromfile memmap open_memmap
    File ZipFile InferenceSession read_csv read_parquet read_hdf read_pickle read_bytes
    read_text open
"""
# What looks whether a file is there, and what writes one.
_EXCUSING_CALLS = """
    exists is_file isfile access glob stat save save_weights save_model savez savez_compressed
    savetxt dump tofile write_bytes write_text to_csv to_parquet to_pickle ModelCheckpoint
"""
_READING = frozenset(_READING_CALLS.split())
_EXCUSING = frozenset(_EXCUSING_CALLS.split())
_WRITE_MODES = frozenset("wax")
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def files_read(tree: ast.Module, entry: str) -> list[tuple[str, int]]:
    r"""Return the literal names of the files that are read when `entry` is called.

    Parameters
    ----------
    tree : Module
        The source of `model.py`.
    entry : str
        The function that the harness calls.

    Returns
    -------
    list of (str, int)
        Each name as it is written, and the line of the call that reads it.

    Examples
    --------
    >>> code = "def network():\n  'as in old.h5'\n  return load_weights(HERE / 'new.h5')"
    >>> files_read(ast.parse(code), "network")
    [('new.h5', 3)]
    """
    code = _Reached.from_entry(tree, entry)
    found: dict[str, int] = {}
    excused: set[str] = set()
    for call in code.calls():
        name = _name_of(call.func)
        if name in _EXCUSING or (name in _READING and _is_writing(call)):
            excused.update(code.literals(call))
        elif name in _READING:
            for literal in code.literals(call):
                found.setdefault(literal, call.lineno)
    is_whole = code.budget > 0
    return [(name, line) for name, line in found.items() if is_whole and name not in excused]


@dataclass(kw_only=True, slots=True)
class _Reached:
    """The statements that a call of one function reaches, and what is assigned in them.

    Attributes
    ----------
    known : dict of str to node
        Functions and classes of the module, by name.
    assigned : dict of str to list of expr
        What each name may stand for.
    budget : int
        Nodes that may still be looked at: a source that was written to take long is let be.
    """

    known: dict[str, ast.AST]
    statements: list[ast.AST] = field(default_factory=list)
    assigned: dict[str, list[ast.AST]] = field(default_factory=dict)
    budget: int = 1_000_000

    @classmethod
    def from_entry(cls, tree: ast.Module, entry: str) -> _Reached:
        """Follow the names from the top level and from `entry`."""
        code = cls(known={node.name: node for node in ast.walk(tree) if isinstance(node, _BLOCKS)})
        waiting: deque[ast.AST] = deque(
            node for node in tree.body if not isinstance(node, _BLOCKS) and not _is_script(node)
        )
        waiting.extend([code.known[entry]] if entry in code.known else [])
        seen: set[int] = set()
        while waiting:
            statement = waiting.popleft()
            if id(statement) not in seen:
                seen.add(id(statement))
                waiting.extend(code._add(statement))
        return code

    def _add(self, statement: ast.AST) -> Iterator[ast.AST]:
        """Keep a statement; yield the functions and classes that it names."""
        self.statements.append(statement)
        for node in self._certain(statement):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self.assigned.setdefault(_name_of(target), []).append(node.value)
            if (name := _name_of(node)) in self.known:
                yield self.known[name]

    def calls(self) -> Iterator[ast.Call]:
        """Yield every call."""
        nodes = chain.from_iterable(self._certain(statement) for statement in self.statements)
        return (node for node in nodes if isinstance(node, ast.Call))

    def literals(self, call: ast.Call) -> list[str]:
        """Return the texts with a dot in a call's arguments and in what its method belongs to."""
        owner = [call.func.value] if isinstance(call.func, ast.Attribute) else []
        waiting: list[ast.AST] = [*owner, *call.args, *(word.value for word in call.keywords)]
        followed: set[str] = set()
        found = []
        while waiting and self.budget > 0:
            node = waiting.pop()
            self.budget -= 1
            if isinstance(node, ast.Constant):
                found.append(node.value)
            elif isinstance(node, ast.Name) and node.id not in followed:
                followed.add(node.id)
                waiting.extend(self.assigned.get(node.id, ()))
            elif not _is_put_together(node):
                waiting.extend(ast.iter_child_nodes(node))
        return [text for text in found if isinstance(text, str) and "." in text]

    def _certain(self, statement: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes of a statement that run whenever it runs, as far as their form tells.

        Left out are what `try` attempts, what runs as a script only, and functions within
        functions.
        """
        waiting = deque([statement])
        while waiting and self.budget > 0:
            node = waiting.popleft()
            self.budget -= 1
            yield node
            children: Iterable[ast.AST] = ast.iter_child_nodes(node)
            if isinstance(node, ast.Try) and node.handlers:
                children = [*node.handlers, *node.orelse, *node.finalbody]
            left_out = () if isinstance(node, ast.ClassDef) else _BLOCKS
            waiting.extend(
                child
                for child in children
                if not isinstance(child, left_out) and not _is_script(child)
            )


def _is_put_together(node: ast.AST) -> bool:
    """Say whether an expression makes a text of parts, none of which is a file's name."""
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod))
    return is_sum or isinstance(node, ast.JoinedStr)


def _is_script(node: ast.AST) -> bool:
    """Say whether a statement is ``if __name__ == "__main__":``."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _name_of(node: ast.AST) -> str:
    """Return the last part of a dotted name, or nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_writing(call: ast.Call) -> bool:
    """Say whether an argument of a call that opens a file is a mode that writes."""
    arguments = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    modes = (one.value for one in arguments if isinstance(one, ast.Constant))
    return any(
        isinstance(mode, str) and len(mode) < 4 and set(mode) & _WRITE_MODES for mode in modes
    )
