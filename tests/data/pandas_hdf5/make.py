"""Small files as pandas and PyTables write them, in the layouts of two public sets of jets.

    python tests/data/pandas_hdf5/make.py

needs pandas and PyTables, which the tests do without: the files are committed. Written with pandas
3.1.1, PyTables 3.11.1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
N_EVENTS, N_CONSTITUENTS = 12, 6


def events() -> np.ndarray:
    """Constituents by falling pT, (n, 6, 3) of pT, eta, phi; the number of them differs."""
    generator = np.random.default_rng(20200)
    pt = -np.sort(-generator.exponential(100.0, (N_EVENTS, N_CONSTITUENTS)), axis=1)
    angles = generator.uniform(-2.0, 2.0, (N_EVENTS, N_CONSTITUENTS, 2))
    found = np.concatenate([pt[..., None], angles], axis=2).round(3)
    found[np.arange(N_CONSTITUENTS) >= generator.integers(2, 7, N_EVENTS)[:, None]] = 0.0
    return found


def momenta(found: np.ndarray) -> np.ndarray:
    """E, px, py, pz of massless constituents."""
    pt, eta, phi = np.moveaxis(found, -1, 0)
    return np.stack(
        [pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1
    )


def main() -> None:
    """Write the files."""
    import pandas as pd

    found = events()
    labels = np.arange(N_EVENTS) % 3 == 2
    flat = found.reshape(N_EVENTS, -1)
    kept = {"complib": "blosc", "complevel": 9, "mode": "w"}
    # The R&D set of the LHC Olympics: 700 constituents there, and a truth bit at the end.
    table = pd.DataFrame(np.column_stack([flat, labels]))
    table.to_hdf(HERE / "fixed.h5", key="df", **kept)
    # Its black boxes have no truth bit.
    pd.DataFrame(flat).to_hdf(HERE / "no_truth.h5", key="df", **kept)
    # The top-tagging set: 200 constituents there, then the top quark, then two integers.
    names = [f"{name}_{i}" for i in range(N_CONSTITUENTS) for name in ("E", "PX", "PY", "PZ")]
    truth = ["truthE", "truthPX", "truthPY", "truthPZ"]
    values = np.column_stack([momenta(found).reshape(N_EVENTS, -1), np.ones((N_EVENTS, 4))])
    tops = pd.DataFrame(values.astype(np.float32), columns=names + truth)
    tops["ttv"] = 0
    tops["is_signal_new"] = labels.astype(int)
    tops.to_hdf(HERE / "table.h5", key="table", format="table", index=False, **kept)
    # The features of the jets of the R&D set have names.
    pd.DataFrame({"pxj1": flat[:, 0], "mj1": flat[:, 1], "label": labels.astype(float)}).to_hdf(
        HERE / "features.h5", key="df", mode="w"
    )


if __name__ == "__main__":
    main()
