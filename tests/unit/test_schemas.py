"""The published JSON Schemas are current, and they say what the models say."""

import json

import jsonschema
import pytest
import yaml

from harness.data.manifest import built_in_manifest
from tests.cards import make_card
from tools import schemas
from tools.pages import outdated


def published(name):
    return json.loads(schemas.schema_path(name).read_text(encoding="utf-8"))


def test_the_committed_schemas_are_current():
    old = [path.name for path in outdated(schemas.published())]
    assert not old, f"run `python -m tools.schemas`: {', '.join(old)}"


def test_an_outdated_schema_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "SCHEMAS", tmp_path / "docs" / "schemas")
    assert len(outdated(schemas.published())) == len(schemas.MODELS)
    assert schemas.main(["--check"]) == 1
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0
    path = schemas.schema_path("submission")
    path.write_text(path.read_text(encoding="utf-8").replace("team", "crew"), encoding="utf-8")
    assert outdated(schemas.published()) == [path]


@pytest.mark.parametrize("name", sorted(schemas.MODELS))
def test_each_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(published(name))


def test_a_card_keeps_the_published_schema():
    content = json.loads(make_card().model_dump_json())
    jsonschema.validate(content, published("score_card"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"rank": 1}, published("score_card"))


def test_the_shipped_manifest_keeps_the_published_schema():
    content = yaml.safe_load(built_in_manifest().read_text(encoding="utf-8"))
    jsonschema.validate(content, published("manifest"))
    content["challenges"][0]["working_point"] = "often"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, published("manifest"))


def test_a_declaration_keeps_the_published_schema():
    declaration = {
        "team": "team_x",
        "title": "A title",
        "authors": ["A. Physicist"],
        "division": "trigger",
        "description": "A paragraph.",
        "training_data": "training background",
        "is_supervised": False,
        "licence": "Apache-2.0",
    }
    jsonschema.validate(declaration, published("submission"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(declaration | {"division": "both"}, published("submission"))
    del declaration["is_supervised"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(declaration, published("submission"))
    jsonschema.validate(declaration | {"learning": "weak"}, published("submission"))
