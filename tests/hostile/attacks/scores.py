"""Attacks by scores that know too much of other events, or say too little."""

from __future__ import annotations

import functools
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.physics import WorkingPoint
from harness.errors import HarnessError, IntegrityError, InvalidSubmissionError, SubmissionError
from harness.sandbox import open_sandbox
from harness.scoring.evaluation import evaluate_scores
from tests.hostile import bench
from tests.hostile.attack import Attack, NotTried, attack
from tests.hostile.world import World

OWN_EVENT = (
    "a score depends on its own event alone: it comes from a shard of random events, and what is "
    "scored in several shards comes out alike"
)
HONEST = """
import numpy as np

def honest(events):
    return events[:, :, 0].astype(np.float64).sum(axis=1)
"""
# Some leave nothing to compare: scored alone, each event gets the same.
LEAK = (IntegrityError, InvalidSubmissionError)
Refusal = type[HarnessError] | tuple[type[HarnessError], ...]


def _source(code: str) -> str:
    return HONEST + textwrap.dedent(code)


def _scored(code: str, refused: Refusal) -> Callable[[World, Path], bool]:
    """Return an attack: whether an open entry gets scores past the checks."""

    def run(world: World, folder: Path) -> bool:
        try:
            bench.score_open(open_sandbox("bwrap"), _source(code), folder)
        except refused:
            return False
        return True

    return run


@functools.cache
def _namespace(code: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(_source(code), names)  # the attack's own code, run here with no guard
    return names


def _cheats(attack_: Attack, world: World, folder: Path) -> bool:
    """Return a control: a scorer without checks takes it, and events alike score differently."""
    score = _namespace(attack_.code)["score"]
    events = np.load(bench.mixture().path)[:4000]
    together = np.asarray(score(events.copy()), np.float64)
    apart = np.concatenate([score(half.copy()) for half in np.array_split(events, 2)])
    return together.shape == (4000,) and not np.array_equal(together, apart)


DECIDED = NotTried(because="a single process never shows what was decided once in it")
LEAKS = {
    "counts-its-calls": """
        calls = [0]
        def score(events):
            calls[0] += 1
            return honest(events) * (1 + 0.01 * calls[0])
    """,
    "reads-the-clock": """
        import time
        def score(events):
            return honest(events) + 1000 * (time.perf_counter() % 1)
    """,
    "normalises-the-batch": """
        def score(events):
            sums = honest(events)
            return (sums - sums.mean()) / sums.std()
    """,
    "ranks-within-the-batch": """
        def score(events):
            return np.argsort(np.argsort(honest(events), kind='stable')).astype(float)
    """,
    "cuts-at-the-batch-s-quantile": """
        def score(events):
            sums = honest(events)
            return sums + 1e4 * (sums > np.quantile(sums, 0.95))
    """,
    "scores-by-position": """
        def score(events):
            return np.arange(len(events), dtype=float)
    """,
    "scores-by-the-batch-s-size": """
        def score(events):
            return honest(events) * len(events)
    """,
    "trains-at-test-time": """
        state = {'mean': None}
        def score(events):
            flat = events.reshape(len(events), -1).astype(np.float64)
            mean = flat.mean(axis=0)
            if state['mean'] is not None:
                mean = 0.5 * mean + 0.5 * state['mean']
            state['mean'] = mean
            return ((flat - mean) ** 2).sum(axis=1)
    """,
    "looks-at-its-neighbour": """
        def score(events):
            sums = honest(events)
            return sums + 0.3 * np.roll(sums, 1)
    """,
    "throws-dice": """
        def score(events):
            return honest(events) + np.random.default_rng().normal(0, 5, len(events))
    """,
    "throws-dice-for-the-best": """
        def score(events):
            sums = honest(events)
            dice = np.random.default_rng().normal(0, 5, len(events))
            return np.where(sums > np.quantile(sums, 0.99), sums + dice, sums)
    """,
    "decides-once-a-process": """
        choice = None
        def score(events):
            global choice
            if choice is None:
                choice = np.mean(honest(events) > 420) > 0.2
            return honest(events) if choice else events[:, 0, 0].astype(np.float64)
    """,
    "trains-on-its-first-batch": """
        mean = None
        def score(events):
            global mean
            flat = events.reshape(len(events), -1).astype(np.float64)
            if mean is None:
                mean = flat.mean(axis=0)
            return ((flat - mean) ** 2).sum(axis=1)
    """,
    "throws-dice-in-a-narrow-tail": """
        def score(events):
            sums = honest(events)
            wide = np.abs(events[:, 1, 1].astype(np.float64) * 1e7) % 1e6
            return np.where(sums > 420, 1e6 + np.random.default_rng().random(len(sums)), wide)
    """,
}
for name, code in LEAKS.items():
    attack(
        f"score-{name}",
        kind="scores",
        claim=OWN_EVENT,
        code=code,
        run=_scored(code, LEAK),
        control=DECIDED if "global" in code else _cheats,
    )
for name in (
    "counts-its-calls", "normalises-the-batch", "ranks-within-the-batch", "scores-by-position",
    "throws-dice", "decides-once-a-process", "trains-on-its-first-batch",
):  # fmt: skip
    attack(
        f"score-{name}-under-a-constant",
        kind="scores",
        claim=OWN_EVENT + ", whatever constant is added to it",
        run=_scored(
            f"{textwrap.dedent(LEAKS[name])}\nleaking = score\n"
            "def score(events):\n    return leaking(events) + 1e10\n",
            LEAK,
        ),
        control=NotTried(because="it is the same attack without the constant"),
    )


def _changes_by_memory(world: World, folder: Path) -> bool:
    """Whether an event that comes again gets another score: none comes again in a process."""
    code = """
        seen = {}
        def score(events):
            extra = []
            for event in events:
                key = event.tobytes()
                seen[key] = seen.get(key, 0) + 1
                extra.append(seen[key] - 1)
            return honest(events) + 50.0 * np.array(extra)
    """
    try:
        scored = bench.score_open(open_sandbox("bwrap"), _source(code), folder)
    except IntegrityError:
        # An event whose mirror image is itself came with it: that entry is refused.
        return False
    honest = bench.mixture().separate(_sums())
    return any(not np.array_equal(scored.scores[name], honest[name]) for name in honest)


attack(
    "score-remembers-events",
    kind="scores",
    claim="no process scores an event twice, so that none is known as one that is compared",
    run=_changes_by_memory,
    control=NotTried(because="it is honest where every event comes once"),
)
attack(
    "score-keeps-a-file",
    kind="scores",
    claim=OWN_EVENT + ", in a fresh process",
    run=_scored(
        """
        import os, pathlib
        def score(events):
            place = pathlib.Path(os.environ['HOME']) / 'mean'
            mean = float(place.read_text()) if place.exists() else 0.0
            sums = honest(events)
            place.write_text(str(sums.mean()))
            return sums - 3 * mean
        """,
        LEAK,
    ),
    control=NotTried(because="it is the counter again, in a file"),
)
attack(
    "score-changes-the-events",
    kind="scores",
    claim="the events lie in a read-only mount, and each call gets a copy",
    run=_scored(
        """
        import pathlib
        def score(events):
            for place in pathlib.Path('/in').glob('events*'):
                place.write_bytes(b'')
            return honest(events)
        """,
        SubmissionError,
    ),
    control=NotTried(because="the mixture would be gone"),
)


def _separates_by_names(world: World, folder: Path) -> bool:
    """Whether anything that an open entry can see is about one process and not the other."""
    code = """
        import os, sys
        def score(events):
            told = [str(place) for top, _, files in os.walk('/in') for place in files]
            told += [' '.join(sys.argv), str(dict(os.environ))]
            if any('background' in text or 'signal' in text for text in told):
                return np.zeros(len(events))
            return honest(events)
    """
    try:
        bench.score_open(open_sandbox("bwrap"), _source(code), folder)
    except InvalidSubmissionError:
        return True
    return False


attack(
    "score-by-names-of-files",
    kind="scores",
    claim="no name, argument or variable in a sandbox tells one process from another",
    run=_separates_by_names,
    control=NotTried(because="the events come in one file"),
)
for name, code in {
    "one-value": "def score(events): return np.ones(len(events))",
    "nan": "def score(events): return honest(events) * np.nan",
    "infinity-in-the-tail": """
        def score(events):
            sums = honest(events)
            sums[sums > 900] = np.inf
            return sums
    """,
    "float16-that-overflows": """
        def score(events):
            with np.errstate(all='ignore'):
                return (honest(events) * 100).astype(np.float16)
    """,
    "too-few": "def score(events): return honest(events)[:-1]",
    "too-many": "def score(events): return np.append(honest(events), 0)",
    "two-columns": "def score(events): return np.stack([honest(events)] * 2, axis=1)",
    "complex": "def score(events): return honest(events) * 1j",
    "text": "def score(events): return honest(events).astype(str)",
    "objects": "def score(events): return honest(events).astype(object)",
    "nothing": "def score(events): return None",
}.items():
    attack(
        f"score-of-{name}",
        kind="scores",
        claim="scores are one finite number for each event, and not all the same",
        run=_scored(code, (InvalidSubmissionError, SubmissionError)),
        control=lambda attack_, world, folder: _honest_is_taken(),
    )


def _honest_is_taken() -> bool:
    """Return whether an honest entry gets its scores: the checks are no wall."""
    return _honest_rate() > 0.3


@functools.cache
def _honest_rate() -> float:
    code = _source("def score(events): return honest(events)")
    with tempfile.TemporaryDirectory() as folder:
        scored = bench.score_open(open_sandbox("bwrap"), code, Path(folder))
    point = scored.physics.at(bench.challenge().working_point)
    assert isinstance(point, WorkingPoint)
    return point.rates["signal"].tpr


# --- scores whose ties would buy rate ---


def _passing(scores: NDArray[np.float64]) -> WorkingPoint:
    mixture = bench.mixture()
    separated = mixture.separate(scores)
    physics = evaluate_scores(bench.challenge(), separated, mixture.hashes, "float")
    point = physics.at(bench.challenge().working_point)
    assert isinstance(point, WorkingPoint)
    return point


def _sums() -> NDArray[np.float64]:
    return np.load(bench.mixture().path)[:, :, 0].sum(axis=1, dtype=np.float64)


def _saturated(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 / (1 + np.exp(-(sums / 10)))).astype(np.float32).astype(np.float64)


TIED: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "two-values": lambda sums: (sums > np.quantile(sums, 0.9)).astype(np.float64),
    "saturated-sigmoid": _saturated,
    "whole-numbers": lambda sums: np.floor(sums / 200),
    "all-tied-but-one": lambda sums: (np.arange(len(sums)) == 0).astype(np.float64),
    "subnormal-steps": lambda sums: np.floor(sums / 200) * 5e-324,
    "huge": lambda sums: np.floor(sums / 200) * 1e306,
}


def _buys_rate(name: str) -> Callable[[World, Path], bool]:
    def run(world: World, folder: Path) -> bool:
        point = _passing(TIED[name](_sums()))
        return point.n_passing > point.n_allowed

    return run


def _percentile_is_fooled(name: str) -> Callable[[Attack, World, Path], bool]:
    """Return a control: a cut at the percentile, ties passing, lets too many through."""

    def control(attack_: Attack, world: World, folder: Path) -> bool:
        scores = TIED[name](_sums())
        background = scores[bench.mixture().rows["background"]]
        rate = bench.challenge().working_point
        passing = int((background >= np.percentile(background, 100 * (1 - rate))).sum())
        return passing > np.floor(rate * (len(background) + 1))

    return control


for name in TIED:
    attack(
        f"ties-{name}",
        kind="scores",
        claim="ties never buy rate: at most k background events pass",
        run=_buys_rate(name),
        control=_percentile_is_fooled(name),
    )
