"""One scoring in a process of its own, for `overhead.py`: prints what each part of it took.

    python benchmarks/_one_scoring.py SUBMISSION CHALLENGE MANIFEST RESULTS FIRMWARE STARTED

FIRMWARE is 1 or 0; STARTED is the monotonic clock when the process was started.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from pydantic import JsonValue

from harness.card.run import IsolationKind
from harness.sandbox import Sandbox, open_sandbox
from harness.sandbox.step import Step, StepResult
from harness.scoring import pipeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorder(Sandbox):
    """A sandbox that remembers what its steps took; the pipeline keeps less of it."""

    steps: dict[str, dict[str, float]] = field(default_factory=dict)

    def run(self, step: Step, folder: Path) -> StepResult[dict[str, JsonValue]]:
        """Run `step`."""
        result = Sandbox.run(self, step, folder)
        self.steps[step.name] = {
            "wall_s": result.usage.wall_s,
            "cpu_s": result.usage.cpu_s,
            "peak_bytes": result.usage.peak_memory_bytes,
            **{name: _seconds(result, name) for name in ("load_s", "score_s")},
        }
        return result


def _seconds(result: StepResult[dict[str, JsonValue]], name: str) -> float:
    value = result.report.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _peak_bytes() -> int:
    """Return the largest resident memory of this process, mapped files included."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


def main() -> None:
    """Score, and print one JSON object."""
    submission, challenge, manifest, results, has_firmware, started = sys.argv[1:]
    imported_s = time.monotonic() - float(started)
    recorders: list[Recorder] = []

    def open_recorder(kind: IsolationKind) -> Recorder:
        sandbox = open_sandbox(kind)
        recorders.append(Recorder(kind=sandbox.kind, detail=sandbox.detail))
        return recorders[-1]

    with patch.object(pipeline, "open_sandbox", open_recorder):
        card = pipeline.score(
            submission,
            challenge,
            manifests=[manifest],
            results=results,
            has_firmware=has_firmware == "1",
            progress=lambda line: print(line, file=sys.stderr),
        )
    steps = recorders[0].steps
    found = {
        "started_s": imported_s,
        "cpu_s": time.process_time() + steps["score"]["cpu_s"],
        "parent_peak_bytes": _peak_bytes(),
        "stages": {name: usage.wall_s for name, usage in card.usage.items()},
        "steps": steps,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
