#!/bin/sh
# Create an environment with the locked dependencies and PyTorch, for the tests of the export.
set -eu

VENV="${VENV:-.venv-torch}"
PYTHON="${PYTHON:-python3}" VENV="$VENV" sh tools/setup.sh
# It is ready once PyTorch is in it as well.
rm -f "$VENV/.ready"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
  -r requirements-torch.lock
touch "$VENV/.ready"
