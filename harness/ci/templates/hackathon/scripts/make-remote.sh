#!/bin/sh
# Make a bare git remote for the teams, with the hooks of hooks/: sh scripts/make-remote.sh FOLDER.git
# Run it in a clone with at least one commit, as the account of the organiser.
set -eu
[ $# -eq 1 ] || { echo "usage: sh scripts/make-remote.sh FOLDER.git" >&2; exit 2; }
[ ! -e "$1" ] || { echo "$1 is there already" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
git init --quiet --bare --shared=group --initial-branch=main "$1"
remote=$(cd "$1" && pwd)
PATH="$top/.venv/bin:$PATH"
git -C "$remote" config harness.command "$(command -v harness)"
git -C "$top" remote add origin "$remote"
git -C "$top" push --quiet --set-upstream origin HEAD:main
cp "$top/hooks/update" "$top/hooks/post-receive" "$remote/hooks/"
chmod +x "$remote/hooks/update" "$remote/hooks/post-receive"
echo "teams: git clone $remote"
