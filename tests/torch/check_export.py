"""`harness new --from-torch` with PyTorch itself, run by ``make test-torch`` alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parents[1] / "data" / "torch"


def new(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", "new", "my_ae", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["autoencoder", "encoder"])
def test_a_model_is_exported_compared_and_written(name, tmp_path):
    for ending in ("py", "pth"):
        shutil.copy(DATA / f"{name}.{ending}", tmp_path)

    done = new(tmp_path, "--from-torch", f"{name}.py:Net", "--weights", f"{name}.pth")

    assert done.returncode == 0, done.stderr
    assert "on 10,000 training events" in done.stdout
    made = tmp_path / "submissions" / "my_ae"
    files = {path.name for path in made.iterdir()}
    assert files == {"README.md", f"{name}.py", "model.onnx", "submission.yaml"}


@pytest.mark.timeout(900)
def test_a_model_without_a_score_is_told_what_forward_returns(tmp_path):
    source = "from torch import nn\n\ndef net():\n    return nn.Linear(57, 3)\n"
    (tmp_path / "model.py").write_text(source)
    import torch

    torch.save(torch.nn.Linear(57, 3).state_dict(), tmp_path / "best.pth")

    done = new(tmp_path, "--from-torch", "model.py:net", "--weights", "best.pth")

    assert done.returncode == 3
    assert "(57,): returns (7, 3)" in done.stderr
    assert not (tmp_path / "submissions" / "my_ae").exists()


@pytest.mark.timeout(900)
def test_weights_with_code_in_them_are_not_run(tmp_path):
    import pickle

    class Attack:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    shutil.copy(DATA / "autoencoder.py", tmp_path)
    (tmp_path / "best.pth").write_bytes(pickle.dumps(Attack()))

    done = new(tmp_path, "--from-torch", "autoencoder.py:Net", "--weights", "best.pth")

    assert done.returncode == 1
    assert "cannot be read as weights" in done.stderr
    assert not (tmp_path / "touched").exists()


@pytest.mark.timeout(900)
def test_a_class_of_the_page_scores_a_network_that_was_trained_before(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
    (code,) = (one for one in page.split("```") if "class Score(nn.Module)" in one)
    (tmp_path / "score.py").write_text(code.removeprefix("python\n"))
    trained = "from torch import nn\n\ndef Autoencoder():\n    return nn.Linear(57, 57)\n"
    (tmp_path / "my_network.py").write_text(trained)
    import torch

    checkpoint = {"epoch": 3, "model_state_dict": torch.nn.Linear(57, 57).state_dict()}
    torch.save(checkpoint, tmp_path / "best.pth")

    done = new(tmp_path, "--from-torch", "score.py:Score", "--weights", "best.pth")

    assert done.returncode == 0, done.stderr
    assert "on 10,000 training events" in done.stdout


def test_the_committed_scores_are_those_of_the_committed_weights():
    import torch

    from harness.submission.torch_export import _load

    for name in ("autoencoder", "encoder"):
        saved = np.load(DATA / f"{name}.npz")
        model = _load(DATA, f"{name}.py", "Net", DATA / f"{name}.pth", f"{name}.pth")
        events = torch.from_numpy(saved["events"])
        with torch.no_grad():
            scores = model(events if name == "autoencoder" else events.flatten(1)).reshape(-1)
        np.testing.assert_allclose(scores.numpy(), saved["scores"], rtol=1e-5, atol=1e-5)
