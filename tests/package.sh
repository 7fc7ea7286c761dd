#!/usr/bin/env bash
# Installs the Debian package, serves as its own account, kills the server, serves again:
#   tests/package.sh [PACKAGE]                 without PACKAGE it is built first
# Needs root. Everything happens in a layer over this machine's root that is thrown away, so nothing of
# it stays, and nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
package=${1:-}
if [ -z "$package" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    host-harness/packaging/build-deb "$out" >/dev/null
    package=$(echo "$out"/*.deb)
fi
unshare --mount --pid --fork --kill-child bash -euo pipefail -s -- "$(realpath "$package")" <<'LAYER'
layer=/mnt # covered in this name space only
mount -t tmpfs layer "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/system"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/system"
mount -t proc proc "$layer/system/proc"
mount --bind /dev "$layer/system/dev"
cp "$1" "$layer/system/package.deb"
chroot "$layer/system" bash -euo pipefail -s <<'INSIDE'
say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; cat /log 2>/dev/null || true; exit 1; }
home=/var/lib/endpoint-server
as() { su -s /bin/sh endpoint-server -c "ENDPOINT_SERVER_HOME=$home host-harness --quiet $*"; }

dpkg --install /package.deb >/dev/null
[ "$(stat -c '%U %a' $home)" = "endpoint-server 700" ] || fail "the home is open to others"
as plugins verify >/dev/null || fail "the library is not pinned"
[ -s /usr/share/man/man1/host-harness-serve.1.gz ] || fail "no manual page"
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify endpoint-server.service || fail "the unit is wrong"
fi
as features enable salesforce >/dev/null
printf secret >/secret
chmod 644 /secret
as connectors new salesforce --name production --domain acme --client-id key \
    --client-secret-file /secret --schedule \'daily 02:30\' >/dev/null
state() { as --json connectors list | grep -v next_run; }
before=$(state)

serve() { # starts the server as the unit does, and waits until it is ready
    : >/log
    chmod 666 /log
    setpriv --reuid endpoint-server --regid endpoint-server --clear-groups --no-new-privs \
        env -i PATH=/usr/bin:/bin ENDPOINT_SERVER_HOME=$home host-harness serve --log-format json 2>/log &
    server=$!
    for _ in $(seq 300); do
        grep -q 'the server is ready' /log && return
        kill -0 $server 2>/dev/null || fail "the server ended"
        sleep 0.1
    done
    fail "the server is not ready"
}
serve
# The connector is not authorized yet, which is worth attention: 4.
status=$(as --json status) && fail "nothing needs attention" || [ $? = 4 ] || fail "no status"
grep -q '"server": "process' <<<"$status" || fail "the server is not seen"
kill -KILL $server
wait $server 2>/dev/null || true
[ "$(state)" = "$before" ] || fail "the state changed"
serve
[ "$(state)" = "$before" ] || fail "the state changed"
as store check >/dev/null || fail "the store is damaged"
kill -TERM $server
wait $server || fail "the server did not end well"
dpkg --remove endpoint-server >/dev/null 2>&1 || fail "it cannot be removed"
[ ! -e /usr/bin/host-harness ] && [ -e $home/inventory.db ] || fail "the program stays, or the store goes"
say "installed, served, killed, served again, removed: ok"
INSIDE
LAYER
