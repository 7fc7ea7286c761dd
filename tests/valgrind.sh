#!/bin/sh
# Loads a connector library, collects with it in the host's own process and drops it again, under
# valgrind: no wrong memory access, no byte definitely lost. The control is a library that loses memory
# on purpose, which must be found. Needs cargo and valgrind.
#
# Usage: valgrind.sh [PEOPLE]        (2500 if left out, more than one batch)
set -eu

people=${1:-2500}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "== build"
here=$here/third-party
. "$here/build.sh"
mkdir "$work/plugins"
cp "$target/deps/libmemory_connector.so" "$target/deps/libchaos_plugin.so" "$work/plugins"

host() {
    "$target/host-harness" -q --home "$work/home" --plugins "$work/plugins" "$@" </dev/null >/dev/null
}
host features enable memory
host features enable chaos
host connectors new memory --name memory --domain north --set "people=$people"
host connectors new chaos --name chaos --domain d --client-id i
echo mem-token >"$work/token"
host connectors authorize memory --token-file "$work/token"

watched() { # CONNECTOR: collects in this process; 9 when valgrind found something
    valgrind --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --error-exitcode=9 --log-file="$work/$1.log" \
        "$target/host-harness" -q --json --home "$work/home" --plugins "$work/plugins" \
        collect "$1" --full >"$work/$1.json"
}

echo "== a sound connector"
watched memory || { cat "$work/memory.log" "$work/memory.json"; exit 1; }
grep -q '"status": "complete"' "$work/memory.json" || { cat "$work/memory.json"; exit 1; }
grep -E 'definitely lost|ERROR SUMMARY' "$work/memory.log"

echo "== the control: a connector that loses 100,000 bytes"
code=0
CHAOS=leak-memory watched chaos || code=$?
if [ "$code" != 9 ] || ! grep -q '100,000 bytes in 1 blocks are definitely lost' "$work/chaos.log"; then
    echo "the control was not found (exit code $code)"
    cat "$work/chaos.log"
    exit 1
fi
grep -E 'definitely lost:|ERROR SUMMARY' "$work/chaos.log"
