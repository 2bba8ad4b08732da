#!/bin/sh
# one.sh NAME: submit what has no task yet, and fetch it.
set -eu
[ -s "videos/$1.mp4" ] && exit 0
[ -s "tasks/$1" ] || sh "$SCRIPTS/submit.sh" "$1"
sh "$SCRIPTS/fetch.sh" "$1"
