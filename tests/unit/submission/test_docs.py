"""The examples of docs/submission.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.challenge import FirmwareChoices
from harness.submission import network
from harness.submission.contract import check_network
from harness.submission.declaration import Spec, parse_spec
from harness.submission.digest import MAX_FILES, MAX_FOLDER_BYTES, MIB

GUIDE = Path(__file__).parents[3] / "docs" / "submission.md"
TEXT = GUIDE.read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_an_example_runs(number, monkeypatch):
    network.load_keras()
    import keras

    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: None)
    monkeypatch.chdir(GUIDE.parents[1])
    space: dict = {"__name__": "model", "__file__": str(GUIDE.with_name("model.py"))}
    exec(PYTHON[number], space)
    if "network" in space:
        model = space["network"]()
        assert check_network(model, (19, 3)) == []


def test_there_are_examples_to_run():
    assert len(PYTHON) >= 4


def test_every_field_of_the_declaration_is_explained():
    for field in Spec.model_fields:
        assert f"| `{field}` |" in TEXT


def test_the_examples_of_a_precision_and_of_choices_are_read():
    examples = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    fields = [example.partition(":")[0] for example in examples]
    assert fields == ["precision", "firmware"]
    for field, example in zip(fields, examples, strict=True):
        _, problems = parse_spec(example, "team_x")
        assert not any(field in problem.where for problem in problems)


def test_every_choice_of_the_firmware_is_explained():
    for field in FirmwareChoices.model_fields:
        assert f"| `{field}` |" in TEXT


def test_the_limits_are_those_of_the_code():
    assert f"At most {MAX_FILES} files and {MAX_FOLDER_BYTES // MIB} MiB" in TEXT
