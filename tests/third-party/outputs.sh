#!/bin/sh
# Exports a simulated org's inventory as CSV, JSON lines and Parquet, opens the files with DuckDB and
# pandas, and compares the three with each other. Needs cargo, python3 with venv, and the package
# registry.
#
# Usage: outputs.sh [USERS]        (500 if left out)
set -eu

users=${1:-500}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "== install"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==1.3.2 pandas==2.3.1 pyarrow==21.0.0

echo "== collect and export $users users"
. "$here/build.sh"
host="$target/host-harness"
"$host" --home "$work/home" -q demo --users "$users" >"$work/demo" || { cat "$work/demo"; exit 1; }
for format in csv jsonl parquet; do
    "$host" --home "$work/home" -q export production --format "$format" --out "$work/$format" >/dev/null
done

echo "== open"
"$work/venv/bin/python" "$here/open_outputs.py" "$work" "$users"
