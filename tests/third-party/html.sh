#!/bin/sh
# Renders the report of a simulated org, whose people and lists have hostile names, in headless Chromium
# and checks it as a reader would meet it: html_report.mjs says how. Needs cargo, node, and Chromium.
#
# Usage: html.sh [USERS [FOLDER]]      (500 if left out; screenshots and the PDF are left in FOLDER)
set -eu

users=${1:-500}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
folder=${2:-$work}
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "error: no Chromium is installed" >&2
    echo "hint: apt-get install chromium" >&2
    exit 1
}

echo "== collect from $users users"
. "$here/build.sh"
host="$target/host-harness"
"$host" --home "$work/home" -q demo --users "$users" >"$work/demo" || { cat "$work/demo"; exit 1; }

echo "== a price list and an order form with hostile names"
cat >"$work/prices.csv" <<'END'
license,unit_price,currency,period,alternative_to
user/SFDC,165,EUR,month,
user/AUL,25,EUR,month,
user/PID_Customer_Community,5,EUR,month,
user/PID_Customer_Community_Login,2,EUR,month,user/PID_Customer_Community
END
cat >"$work/contract.csv" <<END
contract,product,quantity,unit_price,currency,period,start_on,end_on,notice_days,auto_renew,term_years,planned_adds,licenses
C-1,"<script>alert('product')</script><img src=x onerror=alert(3)>",9999,140,EUR,month,2020-01-01,2099-12-31,36500,yes,2,5,user/SFDC
END
for kind in prices contract; do
    "$host" --home "$work/home" -q imports add production "$kind" "$work/$kind.csv" >/dev/null
done
"$host" --home "$work/home" -q report production --html "$work/report.html" >/dev/null

echo "== open"
node "$here/html_report.mjs" "$chromium" "$work/report.html" "$folder"

echo "== control: a page that lets a script through, is too wide, and is pale"
mkdir "$work/control"
sed -e 's/<meta http-equiv[^>]*>//' -e 's/&#60;/</g; s/&#62;/>/g; s/&lt;/</g; s/&gt;/>/g' \
    -e 's|</style>|h1 { width: 3000px } p { color: #999 }</style>|' \
    "$work/report.html" >"$work/control.html"
node "$here/html_report.mjs" "$chromium" "$work/control.html" "$work/control" --expect-script \
    >"$work/noticed" || true
for noticed in "ok control: the script" "FAIL 400-light: nothing is wider" "FAIL 1280-light: text can"; do
    grep "^$noticed" "$work/noticed" || { cat "$work/noticed"; exit 1; }
done
