#!/usr/bin/env bash
# Runs every test and prints the ten slowest, and how long building and running took.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
cargo test --workspace --locked --no-run
built=$SECONDS
# `--report-time` is unstable. Only the programs of tests see the variable that opens it: crates would
# be built again for it.
host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
env "CARGO_TARGET_${host}_RUNNER=env RUSTC_BOOTSTRAP=1" \
    cargo test --workspace --locked --tests -- -Zunstable-options --report-time | tee "$out"
cargo test --workspace --locked --doc
printf '\nThe ten slowest of %s tests (seconds):\n' "$(grep -c '<[0-9.]*s>$' "$out")"
sed -nE 's/^test (.*) \.\.\. .*<([0-9.]+)s>$/\2 \1/p' "$out" | sort -rn | sed -n 1,10p # reads on to the end: `head` would break the pipe
printf 'Built in %s s, run in %s s.\n' "$built" $((SECONDS - built))
