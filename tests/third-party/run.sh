#!/bin/sh
# Runs public Salesforce clients, unchanged, against `salesforce-sim` and compares what they
# read with what is true of the org. Needs cargo, python3 with venv, node and npm, openssl, and
# the package registries. Port 1717 of the loopback interface must be free: the Salesforce CLI
# gets its callback there.
#
# Usage: run.sh [USERS]        (25000 if left out)
set -eu

users=${1:-25000}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
simulators=

finish() {
    for simulator in $simulators; do
        kill "$simulator" 2>/dev/null || true
        wait "$simulator" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "== install"
began=$(date +%s)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
mkdir "$work/node"
# The Salesforce CLI needs Node 20.18 or later, which not every distribution has.
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 18) ? 0 : 1)'; then
    arch=$(node -p process.arch)
    npm install --silent --no-audit --no-fund --prefix "$work/newer" "node-linux-$arch@20.20.2"
    PATH=$work/newer/node_modules/node-linux-$arch/bin:$PATH
    export PATH
fi
echo "node $(node --version)"
cp "$here/package.json" "$here/package-lock.json" "$here/jsforce_client.mjs" "$work/node/"
(cd "$work/node" && npm ci --silent --ignore-scripts --no-audit --no-fund --prefer-offline)
. "$here/build.sh"
echo "($(($(date +%s) - began)) s)"

# start_org NAME USERS FLAG...: an org whose files are in the folder NAME.
start_org() {
    org=$work/$1
    size=$2
    shift 2
    echo "== start an org with $size users"
    mkdir "$org"
    "$target/salesforce-sim" --users "$size" --seed 7 --ca-out "$org/ca.pem" \
        --truth-out "$org/truth.json" --ready-file "$org/ready.json" \
        --journal "$org/journal.jsonl" --json "$@" >"$org/stdout" 2>"$org/stderr" &
    simulator=$!
    simulators="$simulators $simulator"
    tries=0
    while [ ! -s "$org/ready.json" ]; do
        kill -0 "$simulator" 2>/dev/null || { cat "$org/stderr"; exit 1; }
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { echo "the org did not start"; exit 1; }
        sleep 0.1
    done
}

# run_client NAME COMMAND...: its lines, and one more if it fails on the whole.
run_client() {
    client=$1
    shift
    echo "== $client"
    began=$(date +%s)
    "$@" >"$work/output" 2>&1 || echo "FAIL $client: ended with $?" >>"$work/output"
    cat "$work/output" | tee -a "$work/results"
    echo "($(($(date +%s) - began)) s)"
}

: >"$work/results"

start_org server "$users" --enable-client-credentials
proxy=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["proxy_url"])' "$org/ready.json")
run_client simple-salesforce \
    env HTTPS_PROXY="$proxy" https_proxy="$proxy" NO_PROXY='' no_proxy='' REQUESTS_CA_BUNDLE="$org/ca.pem" \
    "$work/venv/bin/python" "$here/simple_salesforce_client.py" "$org/ready.json" "$org/truth.json"
run_client jsforce \
    env NODE_EXTRA_CA_CERTS="$org/ca.pem" \
    node "$work/node/jsforce_client.mjs" "$org/ready.json" "$org/truth.json"

# The Salesforce CLI reads an org of moderate size: it is about how it logs in.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Salesforce CLI' \
    -keyout "$work/cli-key.pem" -out "$work/cli-certificate.pem" 2>/dev/null
# No secret, and this callback: the app every copy of the CLI is built with.
start_org cli "$((users < 4500 ? users : 4500))" --client-id PlatformCLI --optional-secret \
    --scope web --require-pkce --redirect-uri http://localhost:1717/OauthRedirect \
    --jwt-certificate "$work/cli-certificate.pem" --pre-authorized
mkdir "$work/home"
run_client salesforce-cli \
    "$work/venv/bin/python" "$here/salesforce_cli_client.py" "$org/ready.json" "$org/truth.json" \
    "$work/cli-key.pem" "$org/journal.jsonl" "$work/node/node_modules/.bin/sf" "$work/home"

requests=$(cat "$work"/*/journal.jsonl | wc -l)
passed=$(grep -c '^ok ' "$work/results" || true)
failed=$(grep -c '^FAIL ' "$work/results" || true)
grep '^FAIL ' "$work/results" || true
echo "$requests requests were answered"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
