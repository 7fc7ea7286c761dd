#!/usr/bin/env bash
# Runs each fuzz target for so many seconds (60 if not said), from its seeds and what earlier runs found
# worth keeping. A finding fails, and its input lies in `artifacts`. Needs cargo-fuzz and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")"
export SECONDS_EACH=${1:-60}

# Without a sanitizer it runs on stable Rust: the targets hold no unsafe code, and their own checks are
# what finds something.
cargo fuzz build --fuzz-dir . --sanitizer none

run() {
    local target=$1 log
    log=$(mktemp)
    mkdir -p "corpus/$target"
    if cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$SECONDS_EACH" -max_len=16384 -timeout=5 -rss_limit_mb=1024 >"$log" 2>&1; then
        echo "$target: $(grep -o 'Done .*' "$log"), no finding"
    else
        cat "$log"
        echo "$target: a finding"
        return 1
    fi
    rm -f "$log"
}
export -f run
printf '%s\n' json_page csv_results token_answer url_guard | xargs -P 2 -I '{}' bash -c 'run {}'
