"""What a team may declare of its entry by a word of a list, so that a contest's rules can name it.

What each word means: docs/submission.md.
"""

from __future__ import annotations

from typing import Literal

# Which labels the training had: none; noisy or partial ones; some events; every event.
Learning = Literal["unsupervised", "weak", "semi", "supervised"]
LEARNING_TITLES: dict[Learning, str] = {
    "unsupervised": "unsupervised",
    "weak": "weakly supervised",
    "semi": "semi-supervised",
    "supervised": "supervised",
}
# What learns without a label on every event: what a contest ranks if its rules say nothing.
NOT_SUPERVISED: tuple[Learning, ...] = ("unsupervised", "weak", "semi")

# What was done with signal events beside fitting weights.
SignalsSeen = Literal["none", "evaluated", "tuned"]

# Families of methods. A vanilla one is the plain method of the textbooks: a reference.
Method = Literal[
    "vanilla_autoencoder",
    "vanilla_variational_autoencoder",
    "autoencoder",
    "variational_autoencoder",
    "flow",
    "contrastive",
    "distance",
    "density",
    "trees",
    "cut",
    "classifier",
    "other",
]
