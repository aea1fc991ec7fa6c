#!/bin/sh
# Without git: score what is new in the shared folder inbox/, write the cards and pages to board/. Run
# it each few minutes by cron; run `receive.sh` each minute, because it says when something came.
# Options are those of `harness ci publish`.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec 9> .score.lock
flock --nonblock 9 || { echo "another run is at work: see .score.lock"; exit 0; }
harness ci publish --inbox inbox "$@"
