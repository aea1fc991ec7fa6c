"""Make `boosted.json` and `boosted.npz`: a small model of XGBoost, events and its margins.

Run it in this folder, in an environment with xgboost-cpu 3.2.0 and numpy. Harness reads
the JSON as data, and `make test` compares with the saved margins; `make test-trees` compares with
XGBoost itself.
"""

from __future__ import annotations

import numpy as np
import xgboost

N_EVENTS, N_FEATURES = 400, 6


def main() -> None:
    """Train on two classes that overlap; write the model and its margins without the base score."""
    random = np.random.default_rng(19)
    events = np.round(random.exponential(20.0, (N_EVENTS, N_FEATURES)) * 4) / 4
    events = events.astype(np.float32)
    labels = events[:, 0] + events[:, 1] * (events[:, 2] > 15) > random.normal(45, 10, N_EVENTS)
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, learning_rate=0.5, n_jobs=1)
    model.fit(events, labels)
    model.save_model("boosted.json")
    margins = model.predict(events, output_margin=True)
    probabilities = model.predict_proba(events)[:, 1]
    np.savez_compressed("boosted.npz", events=events, margins=margins, probabilities=probabilities)


if __name__ == "__main__":
    main()
