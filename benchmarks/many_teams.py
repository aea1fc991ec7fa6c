"""Sixty submissions through the queue: on this machine, on a cluster of two workers, and again.

What the queue itself costs is measured with a stand-in that takes a fixed time and gives a made-up
card of full size. How many real scorings an hour this machine makes is measured with entries of the
open division on a small challenge of made-up events, each in a process and a sandbox of its own.

    python benchmarks/many_teams.py [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from _table import Cell, Goal, Report, publish, read_options

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.ci.documents import Scoring  # noqa: E402 - after the path that `tests` lies on
from harness.ci.intake import ScoringSettings, score_handed  # noqa: E402
from harness.ci.process import score_request  # noqa: E402
from harness.data.fetch import fetch  # noqa: E402
from tests import ci_stand_in  # noqa: E402
from tests.events import make_challenge, make_events, toy_file, write_hdf5  # noqa: E402

N_TEAMS = 60
# What the stand-in takes: short against a real scoring, so that the queue's own cost shows.
STAND_IN_S = 0.5
# Asked of the queue: what it adds to each scoring, whoever scores.
MAX_OWN_S = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way of getting all submissions scored.

    Attributes
    ----------
    n_workers : int
        Scorings at one time.
    own_s : float or None
        Seconds for each submission beyond what the workers had to take; None for real scorings,
        which no queue could have done faster.
    """

    name: str
    n_workers: int
    wall_s: float
    scorings: Sequence[Scoring]
    own_s: float | None

    @property
    def an_hour(self) -> float:
        """Submissions in an hour."""
        return 3600.0 * len(self.scorings) / self.wall_s


def main() -> int:
    """Run the benchmark; return its exit code."""
    options = read_options(__doc__.partition("\n")[0] if __doc__ else "")
    n_teams = 6 if options.quick else N_TEAMS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ways = [*_stood_in(folder, n_teams), *_real(folder, n_teams)]
    wrong = [one for way in ways for one in way.scorings if one.status == "failed"]
    assert not wrong, wrong[:1]
    own = [way.own_s for way in ways if way.own_s is not None]
    report = Report(
        name="many_teams",
        title=f"{n_teams} submissions through the queue",
        columns=("way", "at one time", "seconds", "an hour", "queue's own s each"),
        rows=tuple(_row(way) for way in ways),
        goals=(
            Goal(
                name="the queue's own time for each submission",
                value=max(own),
                relation="<=",
                limit=MAX_OWN_S,
                unit=" s",
            ),
        ),
        conditions={"cores": os.cpu_count() or 0, "stand-in": f"{STAND_IN_S} s each"},
    )
    return publish(report, options)


def _row(way: Way) -> tuple[Cell, ...]:
    own = "" if way.own_s is None else f"{way.own_s:.3f}"
    return way.name, way.n_workers, way.wall_s, way.an_hour, own


def _stood_in(folder: Path, n_teams: int) -> Iterator[Way]:
    """Score with the stand-in: one after the other, eight at one time, on a cluster, once more."""
    note = f"sleep {STAND_IN_S}".encode()
    teams = [ci_stand_in.handed(f"team{i}", note=note) for i in range(n_teams)]
    settings = ScoringSettings(rules=ci_stand_in.RULES, results=folder, score=ci_stand_in.score)

    def run(name: str, n_workers: int, **changes: object) -> Way:
        own = replace(settings, **changes)  # type: ignore[arg-type]
        wall_s, scorings = _timed(partial(score_handed, teams, own))
        is_known = all(one.status == "known" for one in scorings)
        needed_s = 0.0 if is_known else STAND_IN_S * -(-n_teams // n_workers)
        own_s = (wall_s - needed_s) / n_teams
        return Way(name=name, n_workers=n_workers, wall_s=wall_s, scorings=scorings, own_s=own_s)

    yield run("stand-in, one after the other", 1, results=folder / "one")
    yield run("stand-in, threads", 8, results=folder / "eight", jobs=8)
    with _cluster(2) as address:
        yield run("stand-in, cluster", 2, results=folder / "cluster", cluster=address)
    yield run("all known already", 1, results=folder / "one")


def _real(folder: Path, n_teams: int) -> Iterator[Way]:
    """Score for real: a process, a sandbox, all checks; few events, no firmware."""
    files = folder / "files"
    files.mkdir()
    write_hdf5(files / "background.h5", make_events(6000, seed=1))
    write_hdf5(files / "signal.h5", make_events(500, seed=2))
    rules = make_challenge(
        [toy_file("background.h5"), toy_file("signal.h5", role="signal", process="signal")]
    )
    os.environ["HARNESS_CACHE"] = str(folder / "cache")
    fetch(rules, source_folder=files, trust_first_use=True)
    manifest = folder / "toy.yaml"
    manifest.write_text(_manifest(rules.model_dump_json()), encoding="utf-8")
    teams = [ci_stand_in.handed(f"team{i}", note=b"real") for i in range(n_teams)]
    for n_workers in (1, 2):
        settings = ScoringSettings(
            rules=rules,
            results=folder / f"real-{n_workers}",
            manifests=(manifest,),
            score=score_request,
            jobs=n_workers,
        )
        # One after the other is measured on a few: it only scales.
        chosen = teams if n_workers > 1 else teams[: max(3, n_teams // 10)]
        wall_s, scorings = _timed(partial(score_handed, chosen, settings))
        name = f"real, {len(chosen)} of them"
        yield Way(name=name, n_workers=n_workers, wall_s=wall_s, scorings=scorings, own_s=None)


def _manifest(challenge: str) -> str:
    # JSON is YAML.
    return f'{{"schema": 1, "challenges": [{challenge}]}}\n'


def _timed(call: Callable[[], list[Scoring]]) -> tuple[float, list[Scoring]]:
    started = time.perf_counter()
    made = call()
    return time.perf_counter() - started, made


@contextmanager
def _cluster(n_workers: int) -> Iterator[str]:
    """Start a scheduler and its workers on loopback."""
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as made:
        yield str(made.scheduler_address)


if __name__ == "__main__":
    sys.exit(main())
