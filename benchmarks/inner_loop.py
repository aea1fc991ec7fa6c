"""What a participant waits for: a quick score, a full card, a check; over an import of TensorFlow.

    python benchmarks/inner_loop.py [--quick] [--json FILE]

Each command runs in a process of its own on the embedded sample, by the wall clock, with a cache of
its own. The least of three runs counts; the cold firmware runs once. The ratio is that to
``python -c "import tensorflow"`` in the same run: what a network costs before anything is done with
it. With ``--quick`` each runs once, and no firmware is made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from _table import Goal, Report, publish, read_options

ROOT = Path(__file__).resolve().parents[1]
NETWORK = ROOT / "submissions" / "team_x"
# Of the open division: no step of it imports TensorFlow.
PYTHON_ENTRY = ROOT / "submissions" / "control_random"
HARNESS = (sys.executable, "-m", "harness")
IMPORT = "import tensorflow"
QUICK, PLAIN, CACHED, COLD, VALIDATE, HELP = (
    "score --quick, a network",
    "score --quick, NumPy alone",
    "score, firmware in the cache",
    "score, firmware made",
    "validate",
    "--help",
)
# Asked, as ratios to the import and in seconds.
MAX_RATIO = {QUICK: 1.3, CACHED: 3.0, COLD: 6.0}
MAX_SECONDS = {PLAIN: 2.0, VALIDATE: 0.5, HELP: 0.2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the commands keep what they make."""

    folder: Path

    def run(self, *command: str | Path) -> float:
        """Run a command; return its wall-clock seconds."""
        environment = {**os.environ, "HARNESS_CACHE": str(self.folder / "cache")}
        began = time.monotonic()
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
        return seconds

    def score(self, entry: Path, *more: str) -> float:
        """Score an entry on the sample."""
        return self.run(*HARNESS, "score", entry, "--results", self.folder / "results", *more)


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    n_runs = 1 if options.quick else 3
    with tempfile.TemporaryDirectory() as name:
        place = Place(folder=Path(name))
        # The sandbox is tried and the sample unpacked once a day, before anyone waits for it.
        place.score(PYTHON_ENTRY, "--quick")
        import_s = min(place.run(sys.executable, "-c", IMPORT) for _ in range(n_runs))
        measured = {
            HELP: min(place.run(*HARNESS, "--help") for _ in range(n_runs)),
            VALIDATE: min(place.run(*HARNESS, "validate", NETWORK) for _ in range(n_runs)),
            PLAIN: min(place.score(PYTHON_ENTRY, "--quick") for _ in range(n_runs)),
            QUICK: min(place.score(NETWORK, "--quick") for _ in range(n_runs)),
        }
        if not options.quick:
            measured[COLD] = place.score(NETWORK)
            measured[CACHED] = min(place.score(NETWORK) for _ in range(n_runs))
        shutil.rmtree(place.folder / "results", ignore_errors=True)
    return publish(report(import_s, measured, n_runs), options)


def report(import_s: float, measured: dict[str, float], n_runs: int) -> Report:
    """Put the figures into a table with what is asked of them."""
    ratios = {what: seconds / import_s for what, seconds in measured.items()}
    return Report(
        name="inner_loop",
        title="team_x on the embedded sample, by the wall clock",
        columns=("command", "s", "ratio to the import of TensorFlow"),
        rows=(
            (IMPORT, import_s, 1.0),
            *((what, seconds, ratios[what]) for what, seconds in measured.items()),
        ),
        goals=(
            *(
                Goal(name=f"{what}, ratio", value=ratios[what], relation="<=", limit=limit)
                for what, limit in MAX_RATIO.items()
                if what in ratios
            ),
            *(
                Goal(name=what, value=measured[what], relation="<=", limit=limit, unit=" s")
                for what, limit in MAX_SECONDS.items()
            ),
        ),
        conditions={"runs": n_runs, "network": NETWORK.name, "NumPy alone": PYTHON_ENTRY.name},
    )


if __name__ == "__main__":
    sys.exit(main())
