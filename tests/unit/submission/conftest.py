"""Small submissions and networks that the tests of this folder share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

QUANTISED = """
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense, QEinsum, Quantizer

    def network():
        keras.utils.set_random_seed(7)
        inputs = keras.Input((57,))
        words = Quantizer(
            QuantizerConfig("kif", "datalane", k0=1, i0=10, f0=2, overflow_mode="SAT",
                            trainable=False, homogeneous_axis=(0,)))(inputs)
        hidden = QDense(8, activation="relu", name="hidden")(words)
        mu = QDense(3, name="mu")(hidden)
        return keras.Model(inputs, QEinsum("bi,bi->b", name="score")([mu, mu]))
"""


@pytest.fixture
def submission(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a submission with the given `model.py` and files."""

    def write(source: str = QUANTISED, **files: bytes) -> Path:
        folder = tmp_path / "mémoire de thèse" / "team_a"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.py").write_text(textwrap.dedent(source), encoding="utf-8")
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="session")
def events() -> np.ndarray:
    """Return 3,000 events of the form of the challenge's, float32 (n, 19, 3)."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-3, 3, (3_000, 19, 3))
    values[..., 0] = rng.exponential(30.0, (3_000, 19))
    values[np.arange(19) >= rng.integers(1, 20, 3_000)[:, None]] = 0.0
    return values.astype(np.float32)
