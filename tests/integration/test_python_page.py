"""The page on the Python interface: its examples run, one section after the other."""

from __future__ import annotations

import doctest
import os
import re
from pathlib import Path

import pytest

import harness as package

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
WITH_EXAMPLES = [title for title, text in SECTIONS.items() if ">>> " in text]


@pytest.fixture(scope="module")
def names(harness, tmp_path_factory):
    """What the examples define; they run where `results` holds the committed cards."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "results").symlink_to(ROOT / "results")
    before, here = dict(os.environ), Path.cwd()
    os.environ |= {"HARNESS_CACHE": str(harness.folder / "cache"), "MPLBACKEND": "agg"}
    os.chdir(folder)
    yield {"MANIFEST": harness.manifest}
    os.chdir(here)
    os.environ.clear()
    os.environ |= before


def on_the_toy(text: str) -> str:
    """Read the few events of the toy challenge in place of the sample's million."""
    text = re.sub(r'(_events)\("sample"\)', r'\1("toy", manifest=MANIFEST)', text)
    return text.replace('evaluate(scores, "sample"', 'evaluate(scores, "toy", manifests=[MANIFEST]')


@pytest.mark.parametrize("title", WITH_EXAMPLES)
def test_the_examples_of_a_section_run(title, names):
    test = doctest.DocTestParser().get_doctest(
        on_the_toy(SECTIONS[title]), names, title, "docs/python.md", 0
    )
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=told.append, clear_globs=False)
    names.update(test.globs)

    assert runner.failures == 0, "".join(told)
    assert runner.tries >= 4


def test_the_page_names_what_there_is():
    table = re.findall(r"`harness\.([a-z_]+)", PAGE)

    assert set(package.__all__) - {"__version__"} <= set(table)
    for name in re.findall(r"`harness\.data\.(\w+)", PAGE):
        assert name in package.data.__all__
