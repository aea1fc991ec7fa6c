"""Write the golden cards that are missing: ``python -m tests.golden.make_cards``.

A card that is there is never written again: that is what makes it golden.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.hardware import Artefact
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import IsolationRecord, IsolationTrial
from tests.cards import make_card

FOLDER = Path(__file__).parent
# What had no default when schema version 1 was first written.
FIRST_FIELDS = {
    "schema_version": None,
    "scorer_version": None,
    "created": None,
    "is_official": None,
    "unofficial_because": None,
    "submission": [
        *("team", "title", "authors", "division", "description", "training_data"),
        *("is_supervised", "references", "licence", "digest"),
    ],
    "challenge": [
        *("name", "title", "version", "synthetic", "files", "split_key", "split_fractions"),
        *("seed", "working_point", "target"),
    ],
    "model_digest": None,
    "float_physics": None,
    "firmware_physics": None,
    "cost": ["n_parameters", "n_trainable", "flops", "macs", "bops", "weight_bits"],
    "firmware": None,
    "checks": None,
    "isolation": None,
    "usage": None,
    "environment": None,
    "scores": None,
}


def shortened(physics: Physics) -> Physics:
    """Keep the form of a card's physics in fewer numbers."""
    unreached = UnreachedWorkingPoint(fpr=1e-9, not_measured="the test background is too small")
    assert physics.scores is not None
    return physics.model_copy(
        update={
            "working_points": (unreached, *physics.working_points),
            "replicates": {name: values[:8] for name, values in physics.replicates.items()},
            "roc": {
                name: points.model_copy(update={"fpr": points.fpr[::12], "tpr": points.tpr[::12]})
                for name, points in physics.roc.items()
            },
            "scores": physics.scores.model_copy(
                update={
                    "edges": physics.scores.edges[:9],
                    "counts": {name: some[:8] for name, some in physics.scores.counts.items()},
                }
            ),
        }
    )


def trigger() -> ScoreCard:
    """A card of the trigger division with every field filled."""
    card = make_card("team_gold", seed=79)
    assert isinstance(card.float_physics, Physics)
    assert isinstance(card.firmware_physics, Physics)
    return card.model_copy(
        update={
            "float_physics": shortened(card.float_physics),
            "firmware_physics": shortened(card.firmware_physics),
            "scores": Artefact(name="x.scores.zst", sha256="0" * 64, n_bytes=1),
            "unofficial_because": ("made up for tests",),
            "is_official": False,
            "warnings": ("Ünïcödé, ℓℓ → ττ",),
        }
    )


def tried() -> ScoreCard:
    """The trigger card of a scoring before which the guards of the sandbox were tried."""
    trial = IsolationTrial(
        tried="2026-11-28T12:00:00Z",
        guards={"network": "no sockets", "end": "a step dies with the harness"},
    )
    detail = {"memory": "counted by the kernel, in a control group for each step"}
    isolation = IsolationRecord(kind="bwrap", detail=detail, trial=trial)
    return trigger().model_copy(update={"isolation": isolation})


def open_division() -> ScoreCard:
    """A card of the open division."""
    card = make_card("team_open", seed=80, division="open")
    assert isinstance(card.float_physics, Physics)
    return card.model_copy(
        update={
            "float_physics": shortened(card.float_physics),
            "accepted": NotMeasured(not_measured="not recorded"),
            "cuts": NotMeasured(not_measured="not recorded"),
        }
    )


def first() -> Mapping[str, JsonValue]:
    """The trigger card as schema version 1 first had it."""
    content = json.loads(trigger().model_dump_json())
    for signal_file in content["challenge"]["files"]:
        del signal_file["role"], signal_file["title"]
    return {
        name: value if inner is None else {key: value[key] for key in inner}
        for name, inner in FIRST_FIELDS.items()
        for value in [content[name]]
    }


CARDS: Mapping[str, Callable[[], ScoreCard | Mapping[str, JsonValue]]] = {
    "v1_first": first,
    "v1_trigger": trigger,
    "v1_open": open_division,
    "v1_tried": tried,
}


def main() -> None:
    """Write the cards that are missing."""
    for name, make in CARDS.items():
        path = FOLDER / f"{name}.json"
        if path.exists():
            continue
        card = make()
        content = json.loads(card.model_dump_json()) if isinstance(card, ScoreCard) else card
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
