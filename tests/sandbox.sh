#!/usr/bin/env bash
# Whether the service unit's list of system calls lets the server do its work:
#   tests/sandbox.sh [PROGRAM]          needs strace and systemd-analyze; PROGRAM as `cargo build` makes it
# Traces the demo (features, connectors, collections in worker processes, reports) and compares every
# system call it makes with what the unit allows. The control: the same comparison, with a call that
# the demo needs taken off the list, must fail.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/debug/host-harness}
unit=host-harness/packaging/endpoint-server.service
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Prints the system calls of each group given, nested groups resolved.
expand() {
    local name
    for name in "$@"; do
        case $name in
            @*) expand $(systemd-analyze syscall-filter "$name" | sed -n 's/^ \+\([-@a-z0-9_]\+\)$/\1/p') ;;
            *) printf '%s\n' "$name" ;;
        esac
    done
}
sed -n 's/^SystemCallFilter=//p' "$unit" | while read -r first rest; do
    case $first in
        ~*) expand "${first#\~}" $rest | sort -u >"$out/denied"
            sort -u "$out/allowed" | comm -23 - "$out/denied" >"$out/less"
            mv "$out/less" "$out/allowed" ;;
        *) expand "$first" $rest >>"$out/allowed" ;;
    esac
done
# @default is allowed by systemd itself in every list.
expand @default >>"$out/allowed"
sort -u -o "$out/allowed" "$out/allowed"

strace --follow-forks --quiet=all --summary-only --summary-columns=name --output="$out/trace" \
    "$program" demo >"$out/demo" 2>&1 || { tail -5 "$out/demo"; exit 1; }
grep -E '^[a-z0-9_]+$' "$out/trace" | grep -v -e '^syscall$' -e '^total$' | sort -u >"$out/made"
made=$(wc -l <"$out/made")
[ "$made" -gt 40 ] || { echo "FAILED: only $made system calls were seen"; exit 1; }
if refused=$(comm -23 "$out/made" "$out/allowed" | grep .); then
    echo "FAILED: the unit refuses" $refused
    exit 1
fi
grep -v '^openat$' "$out/allowed" >"$out/without"
comm -23 "$out/made" "$out/without" | grep -q '^openat$' || { echo "FAILED: the control"; exit 1; }
echo "ok: $made system calls, all of them allowed by the unit"
systemd-analyze security --offline=true "$unit" --no-pager | grep Overall || true
