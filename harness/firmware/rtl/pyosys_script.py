"""Run a Yosys script by the library `pyosys`, in a process of its own.

``python -m harness.firmware.rtl.pyosys_script SCRIPT``; a failing command ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(script: str) -> None:
    """Run the commands of `script`, one a line."""
    from pyosys import libyosys

    design = libyosys.Design()
    for line in Path(script).read_text().splitlines():
        if line.strip():
            libyosys.run_pass(line.strip(), design)


if __name__ == "__main__":
    main(sys.argv[1])
