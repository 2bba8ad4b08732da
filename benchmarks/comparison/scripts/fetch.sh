#!/bin/sh
# fetch.sh NAME: wait for the task in tasks/NAME and download it to videos/NAME.mp4.
# A task that failed is forgotten, so that the next try submits another one.
set -eu
id=$(cat "tasks/$1")
ends=$(($(date +%s) + PATIENCE_S))
while :; do
    seen=$(curl -fsS -m 15 -H "Authorization: Bearer $FOXAPI_API_KEY" \
        "$FOXAPI_BASE_URL/v1/tasks/$id") || seen='{}'
    case $(printf '%s' "$seen" | jq -r '.status // ""' || true) in
    completed) url=$(printf '%s' "$seen" | jq -r '.results[0].url // ""') ;;
    failed | cancelled) rm -f "tasks/$1"; exit 1 ;;
    *) url= ;;
    esac
    [ -z "$url" ] || break
    [ "$(date +%s)" -lt "$ends" ] || exit 1
    sleep "$POLL_S"
done
curl -fsSL -m 60 --retry 5 --retry-all-errors -o "videos/$1.part" "$url"
mv "videos/$1.part" "videos/$1.mp4"
