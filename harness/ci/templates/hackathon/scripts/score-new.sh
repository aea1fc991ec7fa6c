#!/bin/sh
# Score what is new, write the cards, the pages and the ranking, push the board. Run it each few
# minutes by cron, in the organiser's clone:
#     */5 * * * * sh /path/of/this/clone/scripts/score-new.sh >> score.log 2>&1
# A run that finds another one at work ends at once. Options are those of `harness ci publish`.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
exec 9> .score.lock
flock --nonblock 9 || { echo "another run is at work: see .score.lock"; exit 0; }
git fetch --quiet origin main
git merge --quiet --ff-only FETCH_HEAD
harness ci publish --push "$@"
