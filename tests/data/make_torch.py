"""Make the small PyTorch models of tests/data/torch: weights, ONNX files, reference scores.

Run it where PyTorch is installed: ``make test-torch`` sets such an environment up.
``python -m tests.data.make_torch`` trains each model for some seconds on the sample.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "torch"
N_TRAINED, N_STORED = 40_000, 1_000
MODELS = ("autoencoder", "encoder")


def train(name: str, events: np.ndarray) -> None:
    """Train one model and write its three files."""
    import torch

    from harness.submission.torch_export import _export, _import

    torch.manual_seed(19)
    torch.set_num_threads(1)
    model = _import(FOLDER, f"{name}.py").Net()
    inputs = torch.from_numpy(events if name == "autoencoder" else events.reshape(-1, 57))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(4):
        for batch in inputs[torch.randperm(len(inputs))].split(512):
            loss = model(batch).mean() if name == "autoencoder" else _elbo(model, batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    torch.save(model.state_dict(), FOLDER / f"{name}.pth")
    _export(model, inputs[:7], FOLDER / f"{name}.onnx")
    with torch.no_grad():
        scores = model(inputs[:N_STORED]).reshape(-1).numpy()
    np.savez_compressed(
        FOLDER / f"{name}.npz", events=events[:N_STORED].astype(np.float32), scores=scores
    )


def _elbo(model, batch):
    """Pull mu to what tells events apart: a stand-in for the decoder's part of the loss."""
    hidden = model.hidden(model.norm(batch))
    mu, log_variance = model.mu(hidden), model.log_variance(hidden)
    divergence = 0.5 * (mu.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
    return (
        divergence.mean() + (mu.sum(dim=1) - model.norm(batch)[:, ::3].sum(dim=1)).square().mean()
    )


if __name__ == "__main__":
    from harness.data import training_events

    chosen = np.asarray(training_events("sample")[:N_TRAINED], np.float32)
    for one in sys.argv[1:] or MODELS:
        train(one, chosen)
