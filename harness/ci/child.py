"""A command that ends with who started it: ``python -m harness.ci.child PARENT ARGUMENTS``.

A scoring has a session of its own, so that it can be ended with all that it started. Without this
it would go on after a queue that was killed, in a folder that the next run removes.
"""

from __future__ import annotations

import os
import runpy
import sys

from harness.sandbox.worker import die_with_parent


def main() -> None:
    """Run a command of harness, unless the parent is gone already."""
    die_with_parent()
    if os.getppid() == int(sys.argv[1]):
        sys.argv = ["harness", *sys.argv[2:]]
        runpy.run_module("harness.cli", run_name="__main__")


if __name__ == "__main__":
    main()
