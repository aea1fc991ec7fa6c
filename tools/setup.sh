#!/bin/sh
# Create the virtual environment and install the locked dependencies: by uv if there is one, else pip.
set -eu

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "harness needs Python 3.11 or newer; '$PYTHON' is $("$PYTHON" --version 2>&1)." >&2
  echo "Name another one: make PYTHON=python3.12 setup" >&2
  exit 5
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV" || {
  echo "'$PYTHON -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 5
}
# The lock is whole (every dependency with its hash), so nothing is resolved here. What is downloaded
# is shown: some packages are large, and a silent minute looks like a hang.
echo "installing $(grep -c '==' requirements.lock) packages into $VENV" >&2
if command -v uv >/dev/null 2>&1; then
  uv pip install --python "$VENV/bin/python" --no-deps --require-hashes -r requirements.lock
else
  "$VENV/bin/python" -m pip install --disable-pip-version-check --no-deps --require-hashes \
    -r requirements.lock
fi
# The distribution was once called as the package is; two of them would fight over one import.
for old in "$VENV"/lib/python*/site-packages/__editable__.harness-*.pth; do
  [ ! -e "$old" ] || "$VENV/bin/python" -m pip uninstall --quiet --disable-pip-version-check --yes harness
done
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --editable .
touch "$VENV/.ready"
echo "done: source $VENV/bin/activate, then harness doctor" >&2
