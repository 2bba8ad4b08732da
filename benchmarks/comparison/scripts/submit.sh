#!/bin/sh
# submit.sh NAME: submit bodies/NAME.json and keep the task's id in tasks/NAME.
set -eu
reply=$(curl -fsS -m 60 -H "Authorization: Bearer $FOXAPI_API_KEY" \
    -H 'Content-Type: application/json' -d "@bodies/$1.json" \
    "$FOXAPI_BASE_URL/v1/videos/generations")
id=$(printf '%s' "$reply" | jq -r '.id // ""')
[ -n "$id" ]
printf '%s\n' "$id" > "tasks/$1.part"
mv "tasks/$1.part" "tasks/$1"
