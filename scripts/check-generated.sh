#!/usr/bin/env bash
# Fails when committed generated code is not what its source generates.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
files=$(git ls-files '*.gen.go')
[ -n "$files" ] || exit 0
for f in $files; do mkdir -p "$dir/$(dirname "$f")"; cp "$f" "$dir/$f"; done
PATH="$PWD/.tools:$PATH" go generate ./...
bad=0
for f in $files; do
	if ! cmp -s "$f" "$dir/$f"; then
		echo "$f is out of date: run make generate" >&2
		cp "$dir/$f" "$f"
		bad=1
	fi
done
exit $bad
