#!/usr/bin/env bash
# Runs each fuzz target for so many seconds (60 if not said), from its seeds; fails at a finding, which
# lies in `artifacts` then. Needs cargo-fuzz and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
for target in json_page csv_results token_answer url_guard; do
    mkdir -p "corpus/$target"
    # Without a sanitizer it runs on stable Rust; the targets hold no unsafe code, their own checks
    # are what finds something.
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
        tee "/tmp/fuzz-$target.log" | grep -E "^stat::number_of_executed|ERROR|panicked|SUMMARY" || true
    grep -q "Done .* runs" "/tmp/fuzz-$target.log" || { echo "$target: a finding"; exit 1; }
    rm -f "/tmp/fuzz-$target.log"
done
