#!/bin/sh
# Make .venv and install the version of harness that requirements.txt names; again only if it changes.
set -eu
cd "$(dirname "$0")/.."
[ .venv/.ready -nt requirements.txt ] && exit 0
"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
touch .venv/.ready
