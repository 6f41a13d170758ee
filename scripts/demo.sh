#!/usr/bin/env bash
# Shows the main job: files arrive slowly, and each is worked on once, when it is complete.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=${BIN:-$PWD/bin}:$PATH
demo=$(mktemp -d "${TMPDIR:-/tmp}/latticed-demo.XXXXXX")
export LATTICED_SOCKET=$demo/socket XDG_RUNTIME_DIR=$demo PYTHONDONTWRITEBYTECODE=1
incoming=$demo/incoming
daemon=

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$dim" "${*//$demo/DEMO}" "$plain" && "$@" | sed "s|$demo|DEMO|g"; }

stop() {
  local code=$?
  if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then wait "$daemon" || code=$?; fi
  if [ $code != 0 ]; then
    printf '\nThe demo failed (exit code %d). The end of the daemon'"'"'s log:\n' $code
    tail -n 20 "$demo/log" 2>/dev/null || true
  fi
  rm -rf "$demo"
  exit $code
}
trap stop EXIT

say "1. Start a daemon on a temporary state directory (DEMO = $demo)"
mkdir "$incoming"
latticed serve --state-dir "$demo/state" --socket "$LATTICED_SOCKET" 2>"$demo/log" &
daemon=$!
for _ in $(seq 100); do [ -S "$LATTICED_SOCKET" ] && break || sleep 0.1; done

say "2. Store a lattice that fits a polynomial to a CSV file, and run it once"
run latticed store examples/polyfit/lattice.yaml
run latticed dispatch polyfit -i data=examples/polyfit/loadcell.csv --wait

say "3. Redispatch it for each file that becomes complete in a folder (unchanged for 2 s)"
run latticed trigger add directory curves --dispatch 1 --dir-path "$incoming" --settle 2s -m data=event.path

say "4. Three instruments write for 5 seconds, a chunk at a time, with some noise"
python3 scripts/demo_instruments.py "$incoming" &
instruments=$!
sleep 2.5
printf 'Half-way there are %s bytes; so far dispatched by the trigger: %s (no file is complete)\n' \
  "$(cat "$incoming"/*.csv | wc -c)" \
  "$(latticed list --trigger curves --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["items"]))')"
wait $instruments

say "5. What came of it"
for number in 2 3 4; do
  for _ in $(seq 200); do latticed show $number >/dev/null 2>&1 && break || sleep 0.1; done
  latticed wait $number >/dev/null
done
latticed list --trigger curves --json | python3 scripts/demo_table.py
say "   and why: each event of the trigger ended in one firing"
run latticed trigger firings curves

say "6. Stop"
kill -TERM "$daemon"
wait "$daemon" && echo "the daemon stopped cleanly"
daemon=
