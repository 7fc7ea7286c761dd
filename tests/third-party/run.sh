#!/bin/sh
# Runs two public Salesforce clients, unchanged, against `salesforce-sim` and compares what
# they read with what is true of the org. Needs cargo, python3 with venv, node and npm, and
# the package registries.
#
# Usage: run.sh [USERS]        (25000 if left out)
set -eu

users=${1:-25000}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
simulator=

finish() {
    if [ -n "$simulator" ]; then
        kill "$simulator" 2>/dev/null || true
        wait "$simulator" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "== install"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
mkdir "$work/node"
cp "$here/package.json" "$here/package-lock.json" "$here/jsforce_client.mjs" "$work/node/"
(cd "$work/node" && npm ci --silent --ignore-scripts --no-audit --no-fund)

echo "== start an org with $users users"
cargo build --quiet --manifest-path "$here/../Cargo.toml" --bin salesforce-sim
target=$(cargo metadata --manifest-path "$here/../Cargo.toml" --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
"$target/debug/salesforce-sim" --users "$users" --seed 7 --enable-client-credentials \
    --ca-out "$work/ca.pem" --truth-out "$work/truth.json" --ready-file "$work/ready.json" \
    --journal "$work/journal.jsonl" --json >"$work/stdout" 2>"$work/stderr" &
simulator=$!
tries=0
while [ ! -s "$work/ready.json" ]; do
    kill -0 "$simulator" 2>/dev/null || { cat "$work/stderr"; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "the org did not start"; exit 1; }
    sleep 0.1
done
proxy=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["proxy_url"])' "$work/ready.json")

echo "== simple-salesforce"
: >"$work/results"
HTTPS_PROXY=$proxy https_proxy=$proxy NO_PROXY='' no_proxy='' REQUESTS_CA_BUNDLE=$work/ca.pem \
    "$work/venv/bin/python" "$here/simple_salesforce_client.py" "$work/ready.json" "$work/truth.json" \
    >"$work/simple" 2>&1 || echo "FAIL simple-salesforce: ended with $?" >>"$work/results"
cat "$work/simple" | tee -a "$work/results"

echo "== jsforce"
NODE_EXTRA_CA_CERTS=$work/ca.pem \
    node "$work/node/jsforce_client.mjs" "$work/ready.json" "$work/truth.json" \
    >"$work/jsforce" 2>&1 || echo "FAIL jsforce: ended with $?" >>"$work/results"
cat "$work/jsforce" | tee -a "$work/results"

requests=$(wc -l <"$work/journal.jsonl")
passed=$(grep -c '^ok ' "$work/results" || true)
failed=$(grep -c '^FAIL ' "$work/results" || true)
grep '^FAIL ' "$work/results" || true
echo "$requests requests were answered"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
