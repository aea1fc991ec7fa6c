"""Which files a plugin reads: literal names in calls that read, in code that is reached."""

from __future__ import annotations

import ast
import textwrap

import pytest

from harness.submission.reads import files_read


def read(source: str, entry: str = "network") -> list[str]:
    return [name for name, _ in files_read(ast.parse(textwrap.dedent(source)), entry)]


@pytest.mark.parametrize(
    "source",
    [
        "def network(): return load_weights('a.h5')",
        "import numpy as np\nWEIGHTS = np.load('a.h5')",
        "NAME = 'a.h5'\ndef network(): return model.load_weights(HERE / NAME)",
        "def network():\n  path = HERE.with_name('a.h5')\n  return build(path.read_bytes())",
        "def network(): return Part().made()\nclass Part:\n  def made(self): return load('a.h5')",
        "def network(): return inner()\ndef inner():\n  with open('a.h5', 'rb') as f: return f",
        "def network():\n  try:\n    x()\n  except ValueError:\n    load('a.h5')",
    ],
)
def test_a_file_that_is_read_is_found(source):
    assert read(source) == ["a.h5"]


@pytest.mark.parametrize(
    "source",
    [
        "'Made from a.h5.'\nOLD = 'a.h5'\ndef network(): ...  # a.h5",
        "def network(): ...\ndef train(): load_weights('a.h5')",
        "def network(): ...\nif __name__ == '__main__':\n  load_weights('a.h5')",
        "def network(): model.save_weights('a.h5'); return model.load_weights('a.h5')",
        "def network(): return open('a.h5', 'wb') if here else open('a.h5', mode='a')",
        "def network():\n  path = HERE / 'a.h5'\n  if path.exists(): load_weights(path)",
        "def network():\n  try:\n    load_weights('a.h5')\n  except OSError: ...",
        "def network(): return load_weights(f'{name}a.h5') or load_weights(name + 'a.h5')",
        "def network(): return print('a.h5', describe('a.h5'))",
    ],
)
def test_a_file_that_is_only_mentioned_is_none(source):
    assert read(source) == []


def test_a_source_that_was_written_to_take_long_does_not():
    names = [f"x{n} = (x{n + 1}, x{n + 1})" for n in range(2_000)]
    calls = ["load(x0)"] * 2_000
    assert read("\n".join([*names, *calls])) == []
    nested = (
        "".join(f"{'  ' * n}class C{n}:\n" for n in range(90)) + "  " * 90 + "load(1); " * 9_000
    )
    assert read(nested + "\n" + "\n".join(f"C{n}" for n in range(90))) == []
    assert read("load" + "(a" * 80 + ".b" * 200 + ")" * 80) == []
