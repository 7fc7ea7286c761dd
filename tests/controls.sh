#!/usr/bin/env bash
# Breaks one guard after the other in a copy of the sources, and fails if the test that holds it still
# passes. Each line: the file, what is there, what it becomes, the test. Takes some minutes, most of
# them for building; needs cargo and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=$PWD/target/controls

broken() { # FILE TEXT REPLACEMENT CARGO-TEST-ARGUMENTS...
    local file=$1 text=$2 replacement=$3
    shift 3
    git ls-files -z | xargs -0 cp --parents -t "$copy"
    python3 - "$copy/$file" "$text" "$replacement" <<'PY'
import sys
path, text, replacement = sys.argv[1:]
source = open(path).read()
assert source.count(text) == 1, f"{path}: `{text}` is there {source.count(text)} times"
open(path, "w").write(source.replace(text, replacement))
PY
    (cd "$copy" && cargo test --quiet --locked "${@:1:${#@}-1}" --no-run) 2>"$copy.log" ||
        { cat "$copy.log"; echo "$file: it does not build"; exit 1; }
    if (cd "$copy" && cargo test --quiet --locked "$@") >"$copy.log" 2>&1; then
        echo "$file without \`$text\`: ${*: -1} still passes"
        exit 1
    fi
    grep -q "test result: FAILED" "$copy.log" || { cat "$copy.log"; exit 1; }
    echo "noticed: $file without \`$text\`"
    rm -f "$copy.log"
}

# A short dataset is incomplete: the count of the org is held against the records.
broken salesforce-plugin/src/read/proof.rs 'Some(count) if held < count =>' 'Some(count) if held < count && false =>' \
    -p salesforce-plugin --test collection a_page_that_is_always_short
# Where only one's own logins are shown, the answer is complete but is not everybody's.
broken salesforce-plugin/src/read/proof.rs 'own_rows_only(reading)? {' 'own_rows_only(reading)?.filter(|_| false) {' \
    -p salesforce-plugin --test collection own_logins_only
# Half a record at the end of a result is not a record.
broken salesforce-plugin/src/read/csv_rows.rs "last != b'\\n'" 'last == 0' \
    -p salesforce-plugin --lib a_body_that_was_cut_off
# Results that are read again are skipped where they were handed over.
broken salesforce-plugin/src/read/csv_rows.rs 'if index > self.taken {' 'if index > 0 {' \
    -p salesforce-plugin --lib results_that_break_off_anywhere
# A token goes to the host of an org only.
broken salesforce-plugin/src/settings/org_url.rs 'is_org_host(name).then(' 'true.then(' \
    -p salesforce-plugin --lib org_url
# The mutation run finds a list that is cut where only the org's own count can tell, and a result
# without a column.
broken salesforce-plugin/src/read/proof.rs 'Some(count) if held < count =>' 'Some(count) if held < count && held == 0 =>' \
    -p salesforce-plugin --test collection mutation::a_run_by_changes
broken salesforce-plugin/src/read/csv_rows.rs 'None if columns.is_asked(column) =>' 'None if columns.is_asked(column) && name.is_empty() =>' \
    -p salesforce-plugin --test collection mutation::a_full_run
