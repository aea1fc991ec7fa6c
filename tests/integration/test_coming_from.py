"""docs/coming-from.md: its models are those of the tests, its commands run as they stand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.card.files import KeptScores, read_card, read_scores
from harness.card.records import ScoreCard
from harness.submission.network import load_keras
from harness.submission.onnx.builders import QUANTISED_BUILDERS, STANDARD_BUILDERS
from tests.integration.conftest import CommandLine
from tests.onnx_zoo import EXACT, FLOAT, Graph

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
# That of the skeleton, with a word of the input that is as long as the first `Quant` needs.
PRECISION = {"input": "fixed<20,14>", "weights": "fixed<10,3>", "activations": "fixed<20,12>"}
TOY = ("--challenge", "toy", "--manifest")


def block(section: str, kind: str) -> str:
    """The first block of a section."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


def commands_of(section: str) -> list[list[str]]:
    """The `harness` commands of a section, as words without comments."""
    lines = (line.split("#")[0].split() for line in block(section, "sh").splitlines())
    return [words[1:] for words in lines if words[:1] == ["harness"]]


def scored(harness: CommandLine, section: str, model: Path) -> tuple[ScoreCard, KeptScores]:
    """Run the first and the last command of a section on the toy challenge, without firmware."""
    shutil.copy(model, harness.folder / "model.onnx")
    new, *_, score = commands_of(section)
    for words in (new, [*score, "--no-firmware"]):
        done = harness(*words, *TOY, harness.manifest)
        assert done.returncode == 0, f"{words}\n{done.stderr}"
    (card,) = (harness.folder / "results" / "toy" / new[1]).glob("*.json")
    return read_card(card), read_scores(card)


@pytest.mark.timeout(600)
def test_a_model_of_pytorch_goes_from_its_file_to_a_card(harness):
    card, kept = scored(harness, "ONNX", DATA / "torch" / "autoencoder.onnx")

    assert card.submission.team == "my_onnx"
    assert all(np.isfinite(scores).all() for scores in kept.float_scores.values())


@pytest.mark.timeout(600)
def test_a_model_of_brevitas_goes_from_its_file_to_a_card(harness):
    card, kept = scored(harness, "QONNX", DATA / "onnx" / "brev.onnx")

    assert card.submission.team == "my_qonnx"
    # Its outputs are sums of products of short words: whole numbers of steps.
    steps = kept.float_scores["background"] * 2**11
    np.testing.assert_array_equal(steps, np.round(steps))


@pytest.mark.parametrize("path", ["torch/encoder.onnx", "onnx/brev.onnx"])
def test_its_firmware_gives_the_bits_of_the_network(path, synth_in_process):
    load_keras()
    from harness.submission.onnx.network import build_network

    network = build_network(DATA / path, (19, 3))
    done = synth_in_process(network, "--quick", "--json", precision=PRECISION)

    assert done.exit_code == 0, done.output
    (agreement,) = json.loads(done.stdout)["agreements"]
    assert agreement["n_different"] == 0
    assert agreement["n_events"] > 2_000


def test_the_model_of_the_page_is_the_one_whose_export_is_tested():
    assert block("PyTorch", "python") == (DATA / "torch" / "autoencoder.py").read_text("utf-8")
    assert (DATA / "torch" / "encoder.py").read_text("utf-8") in PAGE


def test_the_command_of_pytorch_is_said_what_to_install_where_it_is_missing(harness):
    for ending in ("py", "pth"):
        shutil.copy(DATA / "torch" / f"autoencoder.{ending}", harness.folder)
    (words,) = (words for words in commands_of("PyTorch") if "--from-torch" in words)

    done = harness(*words, *TOY, harness.manifest)

    assert done.returncode == 5
    assert "pip install torch onnxscript" in done.stderr
    assert "pip install torch onnxscript" in block("PyTorch", "sh")
    assert not (harness.folder / "submissions" / words[1]).exists()


def test_every_operator_that_can_be_built_is_listed():
    listed = set(re.findall(r"`(\w+)`", PAGE.split("| family | operators |")[1].split("\n\n")[0]))

    assert listed == {*STANDARD_BUILDERS, *QUANTISED_BUILDERS}


def test_every_operator_that_can_be_built_is_in_a_graph_of_the_tests():
    made = [make(Graph()) for make in (*FLOAT.values(), *EXACT.values())]
    tested = {node.op_type for model in made for node in model.graph.node}

    assert {*STANDARD_BUILDERS, *QUANTISED_BUILDERS} - tested == set()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_a_model_of_hgq_is_an_entry_as_it_is(tmp_path, monkeypatch):
    load_keras()
    from harness.submission.contract import check_network

    monkeypatch.chdir(tmp_path)
    code, made = block("HGQ", "python"), {}
    exec(code.replace("    model.load_weights(WEIGHTS)\n", ""), made)
    made["network"]().save_weights(made["WEIGHTS"])

    exec(code, made)

    assert check_network(made["network"](), (19, 3)) == []
