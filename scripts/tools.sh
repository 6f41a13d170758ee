#!/usr/bin/env bash
# Builds the developer tools pinned in tools/go.mod into .tools, once per version.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/.tools
stamp=$out/.stamp
want=$(cat tools/go.mod tools/go.sum | sha256sum; go version)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then exit 0; fi
echo "building developer tools (a few minutes, once) …" >&2
mkdir -p "$out"
(cd tools && go build -o "$out/" tool)
printf '%s' "$want" >"$stamp"
