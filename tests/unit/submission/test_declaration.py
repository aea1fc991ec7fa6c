"""`submission.yaml`: what is read, and that all that is wrong is told at once with its place."""

from __future__ import annotations

import textwrap

import pytest

from harness.challenge import FirmwareChoices, LayerChoices
from harness.submission.declaration import MAX_BYTES, parse_spec, read_spec

GOOD = """\
team: team_x
title: 'Variational autoencoder: sum of mu^2'
authors: [Ada Lovelace, Émilie du Châtelet]
division: trigger
description: |
  Two paragraphs,
  of which this is the second line.
training_data: training part of the background
is_supervised: false
references: ["arXiv:2108.03986"]
licence: Apache-2.0
"""


def told(text: str, team: str = "team_x") -> str:
    """Return all problems as one text."""
    spec, problems = parse_spec(textwrap.dedent(text), team)
    assert spec is None
    assert problems
    return "\n".join(str(problem) for problem in problems)


def test_a_good_declaration_is_read():
    spec, problems = parse_spec(GOOD, "team_x")
    assert problems == []
    assert spec is not None
    assert spec.authors == ("Ada Lovelace", "Émilie du Châtelet")
    assert spec.is_supervised is False
    assert spec.description == "Two paragraphs,\nof which this is the second line."
    assert spec.precision is None


@pytest.mark.parametrize("word", ["yes", "Yes", "on", "true", "True"])
def test_truth_is_read_as_yaml_reads_it(word):
    spec, _ = parse_spec(GOOD.replace("false", word), "team_x")
    assert spec is not None
    assert spec.is_supervised is True


DECLARED = GOOD.replace("is_supervised: false", "learning: unsupervised")


@pytest.mark.parametrize("learning", ["unsupervised", "weak", "semi", "supervised"])
def test_the_kind_of_learning_says_whether_an_entry_is_supervised(learning):
    spec, problems = parse_spec(DECLARED.replace("unsupervised", learning), "team_x")
    assert problems == []
    assert spec is not None
    assert (spec.learning, spec.is_supervised) == (learning, learning == "supervised")


def test_method_signals_seen_and_kinds_of_data_are_read_and_may_be_left_out():
    more = "method: flow\nmethod_detail: Masked\ntrained_on: [background]\nsignals_seen: tuned\n"
    spec, problems = parse_spec(DECLARED + more, "team_x")
    assert problems == []
    assert spec is not None
    assert (spec.method, spec.method_detail) == ("flow", "Masked")
    assert (spec.trained_on, spec.signals_seen) == (("background",), "tuned")
    bare, _ = parse_spec(GOOD, "team_x")
    assert bare is not None
    assert (bare.learning, bare.method, bare.signals_seen, bare.trained_on) == (
        None,
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            DECLARED.replace("unsupervised", "self"),
            "line 9, field learning: 'self': Input should be",
        ),
        (
            GOOD + "learning: supervised\n",
            "line 9, field is_supervised: 'false': contradicts `learning: supervised`",
        ),
        (DECLARED + "is_supervised: yes\n", "'yes': contradicts `learning: unsupervised`"),
        (
            DECLARED + "method: autoencodr\n",
            "field method: 'autoencodr': Input should be 'vanilla_",
        ),
        (DECLARED + "signals_seen: some\n", "field signals_seen: 'some': Input should be 'none'"),
        (
            DECLARED.replace("unsupervised", "supervised") + "signals_seen: none\n",
            "'none': contradicts a supervised training",
        ),
        (GOOD.replace("is_supervised: false\n", ""), "field learning: is missing"),
        (
            DECLARED + "trained_on: background\n",
            "field trained_on: 'background': Input should be a",
        ),
        (DECLARED + f"trained_on: [{'x' * 41}]\n", "field trained_on.0"),
        (DECLARED + f"trained_on: [{', '.join('abcdefghi')}]\n", "field trained_on: "),
    ],
)
def test_a_declaration_that_says_nothing_or_contradicts_itself_is_told(text, part):
    (line,) = [line for line in told(text).splitlines() if line.startswith("submission.yaml")]
    assert part in line


def test_a_number_may_stand_as_text():
    spec, _ = parse_spec(GOOD.replace("Apache-2.0", "2.0"), "team_x")
    assert spec is not None
    assert spec.licence == "2.0"


@pytest.mark.parametrize("references", ["references:", "references: []", ""])
def test_references_may_be_left_out(references):
    text = GOOD.replace('references: ["arXiv:2108.03986"]', references)
    spec, problems = parse_spec(text, "team_x")
    assert problems == []
    assert spec is not None
    assert spec.references == ()


def test_words_may_be_stated_by_feature_and_by_layer():
    words = (
        "precision:\n  input: ['ufixed<15,13>', 'fixed<8,4>']\n  weights: 'fixed<8,2>'\n"
        "  activations: 'fixed<16,8>'\n  layers: {first: {activations: 'fixed<18,14>'}}\n"
    )
    spec, problems = parse_spec(GOOD + words, "team_x")
    assert problems == []
    assert spec.precision.input == ("ufixed<15,13>", "fixed<8,4>")
    assert spec.precision.layers["first"].activations == "fixed<18,14>"
    assert spec.precision.layers["first"].weights is None


def test_words_may_be_left_to_the_harness():
    spec, problems = parse_spec(GOOD + "precision: auto\n", "team_x")
    assert problems == []
    assert spec.precision == "auto"


@pytest.mark.parametrize(
    ("words", "field", "said"),
    [
        ("precision: automatic\n", "precision", "automatic"),
        ("precision: {input: 'fixed<8,4,RND>', weights: x}\n", "precision.input", "is cut"),
        ("precision: {layers: {a: {bits: 3}}}\n", "precision.layers.a.bits", "is no field"),
    ],
)
def test_words_that_cannot_be_read_are_named(words, field, said):
    _, problems = parse_spec(GOOD + words, "team_x")
    matching = [one for one in problems if one.where.endswith(f"field {field}")]
    assert len(matching) == 1
    assert said in matching[0].what


def test_what_is_chosen_of_the_firmware_is_read():
    chosen = (
        "firmware:\n  products: fabric\n  latency_cycles: 5\n  strategy: resource\n"
        "  reuse_factor: 4\n  io_type: io_stream\n  layers: {dense: {reuse_factor: 2}}\n"
    )
    spec, problems = parse_spec(GOOD + chosen, "team_x")
    assert problems == []
    assert spec.firmware == FirmwareChoices(
        products="fabric",
        latency_cycles=5,
        strategy="resource",
        reuse_factor=4,
        io_type="io_stream",
        layers={"dense": LayerChoices(reuse_factor=2)},
    )


@pytest.mark.parametrize("text", ["", "firmware:\n"])
def test_without_choices_products_take_dsp_slices(text):
    spec, problems = parse_spec(GOOD + text, "team_x")
    assert problems == []
    assert (spec.firmware.products, spec.firmware.latency_cycles) == ("dsp", None)


@pytest.mark.parametrize(
    ("choices", "field", "said"),
    [
        ("{products: lut}", "firmware.products", "'dsp' or 'fabric'"),
        ("{squares: fabric}", "firmware.squares", "is no field of firmware"),
        ("fabric", "firmware", "mapping of fields"),
        ("{latency_cycles: 0}", "firmware.latency_cycles", "greater than or equal to 1"),
        ("{strategy: fast}", "firmware.strategy", "'resource'"),
        ("{reuse_factor: 2.5}", "firmware.reuse_factor", "integer"),
        ("{layers: {a: {reuse: 2}}}", "firmware.layers.a.reuse", "is no field"),
        (
            "{strategy: distributed_arithmetic, reuse_factor: 2}",
            "firmware.reuse_factor",
            "no multipliers to reuse",
        ),
        (
            "{reuse_factor: 2, layers: {a: {strategy: distributed_arithmetic}}}",
            "firmware.layers",
            "layer a: `distributed_arithmetic`",
        ),
    ],
)
def test_a_choice_that_there_is_not_is_named(choices, field, said):
    _, problems = parse_spec(GOOD + f"firmware: {choices}\n", "team_x")
    matching = [one for one in problems if one.where.endswith(f"field {field}")]
    assert len(matching) == 1
    assert said in matching[0].what


def test_a_precision_is_read():
    text = (
        GOOD + 'precision: {input: "fixed<13,11>", weights: "fixed<8,2>", activations: ufixed<9,4>}'
    )
    spec, problems = parse_spec(
        text.replace("activations: ufixed<9,4>", "activations: 'ufixed<9,4>'"), "team_x"
    )
    assert problems == []
    assert spec is not None
    assert spec.precision is not None
    assert spec.precision.input == ("fixed<13,11>",)


@pytest.mark.parametrize(
    "word", ["fixed<33,6>", "fixed<0,0>", "float16", "fixed<8>", "fixed<8,2> x"]
)
def test_a_precision_that_is_no_fixed_point_type_is_told(word):
    text = (
        GOOD + f'precision: {{input: "{word}", weights: "fixed<8,2>", activations: "fixed<8,2>"}}'
    )
    assert "field precision.input" in told(text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('precision: {input: "x", weights: "fixed<8,2>", activations: "fixed<8,2>"}', "'x' is no"),
        ('precision: "fixed<8,2>"', "'fixed<8,2>': Input should be a mapping of fields to values"),
        ("authors: Ada", "'Ada': Input should be a list"),
        ("precision: {inputs: x}", "precision.inputs: is no field of precision"),
    ],
)
def test_nothing_of_pydantic_or_python_shows(line, said):
    name = line.partition(":")[0]
    kept = "".join(kept for kept in GOOD.splitlines(keepends=True) if not kept.startswith(name))
    text = told(kept + line)
    assert said in text
    assert not any(word in text for word in ("Value error", "tuple", "dictionary", "instance of"))


def test_everything_wrong_is_told_at_once_with_its_line():
    text = told(
        """\
        team: other
        titel: spelt wrong
        authors: []
        division: both
        description: x
        training_data: y
        is_supervised: perhaps
        """
    )
    for part in (
        "field title: is missing",
        "field licence: is missing",
        "line 2, field titel: is no field",
        "line 3, field authors",
        "line 4, field division",
        "'trigger', 'open' or 'declared'",
        "line 7, field is_supervised",
        "the team is 'other', the folder is 'team_x'",
    ):
        assert part in text


@pytest.mark.parametrize("team", ["Team", "team x", "../team", "té", ".team", "a" * 65])
def test_a_team_whose_name_is_no_good_file_name_is_told(team):
    assert "field team" in told(GOOD.replace("team: team_x", f"team: '{team}'"), team)


BOMB = "a: &a [x, x, x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (BOMB, "line 1, column 4: is not the YAML that is read here: anchors and aliases"),
        (
            "title: a\ntitle: b\n",
            "line 2, column 1: is not the YAML that is read here: the key 'title'",
        ),
        ("authors: [{a: 1, a: 2}]", "the key 'a' is given twice"),
        ("title: [unclosed\n", "is not the YAML"),
        ("title: a: b\n", "line 1"),
        ("title:\n\tx: 1", "line 2, column 1: is not the YAML"),
        ("? [a]\n: b", "a key is no word"),
        ("[" * 1000 + "]" * 1000, "nested more than"),
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("just text", "is no mapping"),
        ("- a\n- b", "is no mapping"),
        ("a: 1\n---\nb: 2\n", "is not the YAML"),
        ("\x00", "is not the YAML"),
    ],
)
def test_yaml_that_is_malformed_or_a_bomb_is_told(text, part):
    assert part in told(text)


def test_tags_make_no_objects():
    text = GOOD.replace("Apache-2.0", "!!python/object/apply:os.system ['true']")
    assert "field licence" in told(text)


def test_control_characters_are_told():
    assert "no text" in told(GOOD.replace("Apache-2.0", '"\\e[31mred"'))


def test_a_title_has_one_line():
    assert "field title" in told(GOOD.replace("'Variational autoencoder: sum of mu^2'", '"a\\nb"'))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"title: \xff\xfe", "is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "larger than 65,536 bytes"),
        (None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, content, part):
    if content is not None:
        (tmp_path / "submission.yaml").write_bytes(content)
    spec, problems = read_spec(tmp_path)
    assert spec is None
    assert part in str(problems[0])


def test_a_declaration_saved_by_windows_is_read(tmp_path):
    folder = tmp_path / "team_x"
    folder.mkdir()
    content = b"\xef\xbb\xbf" + GOOD.encode().replace(b"\n", b"\r\n")
    (folder / "submission.yaml").write_bytes(content)
    assert read_spec(folder)[1] == []


@pytest.mark.parametrize("title", ["\u3164", "\u2800\u2800", "e" + "\u0301" * 198, "\u0301"])
def test_a_title_that_nobody_can_read_is_refused(title):
    assert "cannot be read" in told(GOOD.replace("Variational autoencoder: sum of mu^2", title))
