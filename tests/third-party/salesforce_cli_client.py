"""Runs the Salesforce CLI, unchanged, against a simulated org and compares with its truth.

Usage: salesforce_cli_client.py READY_FILE TRUTH_FILE KEY_FILE JOURNAL_FILE SF_PROGRAM FOLDER
The app of the org must be the CLI's own (`PlatformCLI`, no secret, callback on localhost),
must require PKCE, and must know the certificate of the key. FOLDER becomes the CLI's home.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

READY, TRUTH = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:3])
KEY, JOURNAL, SF, FOLDER = sys.argv[3:]
HERE = pathlib.Path(__file__).resolve().parent
URL = f"https://{READY['my_domain_host']}"
failed = 0


def check(name, got, wanted):
    """Prints one line per comparison; the caller counts them."""
    global failed
    if got == wanted:
        print(f"ok salesforce-cli: {name}")
    else:
        failed += 1
        print(f"FAIL salesforce-cli: {name}: got {got!r}, wanted {wanted!r}")


def environment():
    """What the CLI is told: the proxy, the authority, and not to talk to anybody else."""
    # The browser returns at once, as launchers of desktop browsers do; the page is played
    # in the background while the CLI waits for its callback.
    browser = pathlib.Path(FOLDER) / "browser"
    browser.write_text(
        f'#!/bin/sh\n"{sys.executable}" "{HERE}/browser.py" "{sys.argv[1]}" "$@" '
        f'>"{FOLDER}/browser.log" 2>&1 &\n'
    )
    browser.chmod(0o700)
    return os.environ | {
        "HOME": FOLDER,
        "PATH": f"{pathlib.Path(SF).parent}:{os.environ['PATH']}",
        "HTTPS_PROXY": READY["proxy_url"],
        "https_proxy": READY["proxy_url"],
        "HTTP_PROXY": READY["proxy_url"],
        "http_proxy": READY["proxy_url"],
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "NODE_EXTRA_CA_CERTS": READY["ca_file"],
        "SSL_CERT_FILE": READY["ca_file"],
        "BROWSER": str(browser),
        "SF_WEB_OAUTH_SERVER_TIMEOUT": "60000",
        # The proxy resolves names; there is no DNS entry to look for.
        "SF_DISABLE_DNS_CHECK": "true",
        "SFDX_DISABLE_DNS_CHECK": "true",
        "SF_DOMAIN_RETRY": "0",
        "SFDX_DOMAIN_RETRY": "0",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "SF_DISABLE_LOG_FILE": "true",
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
    }


ENVIRONMENT = environment()


def sf(*words):
    """What one command answers, as JSON."""
    done = subprocess.run(
        [SF, *words, "--json"], env=ENVIRONMENT, capture_output=True, text=True, timeout=180
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"status": done.returncode, "name": (done.stderr or done.stdout)[-400:], "result": {}}


def login_by_jwt(key, alias):
    return sf(
        "org", "login", "jwt", "--client-id", READY["client_id"], "--jwt-key-file", key,
        "--username", READY["username"], "--instance-url", URL, "--alias", alias,
    )  # fmt: skip


def query(alias, soql):
    return sf("data", "query", "--target-org", alias, "--query", soql).get("result", {})


def compare_with_truth(flow):
    active = query(flow, "SELECT COUNT() FROM User WHERE IsActive = true")
    check(f"{flow}: active users are counted", active.get("totalSize"), TRUTH["active_users"])
    ids = [row["Id"] for row in query(flow, "SELECT Id FROM User ORDER BY Id").get("records", [])]
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    wanted = [TRUTH["users"]["count"], TRUTH["users"]["ids_sha256"]]
    check(f"{flow}: every user is read, in order", [len(ids), digest], wanted)


def who(answer):
    result = answer.get("result", {})
    return [answer.get("status"), result.get("username"), result.get("orgId")]


WANTED = [0, READY["username"], READY["organization_id"]]

other = pathlib.Path(FOLDER) / "other-key.pem"
other.write_bytes((HERE.parent / "fixtures" / "jwt" / "other-key.pem").read_bytes())
check("jwt: a key the app does not know is refused", login_by_jwt(str(other), "no")["name"], "JwtGrantError")
check("jwt: the user logs in", who(login_by_jwt(KEY, "jwt")), WANTED)
compare_with_truth("jwt")
check("web flow with PKCE: the user logs in", who(sf("org", "login", "web", "--instance-url", URL, "--alias", "web")), WANTED)
compare_with_truth("web")

entries = [json.loads(line) for line in pathlib.Path(JOURNAL).read_text().splitlines()]
grants = {entry["grant_type"].rsplit(":", 1)[-1] for entry in entries if entry["grant_type"]}
check("both grants were used", grants >= {"jwt-bearer", "authorization_code"}, True)
exchanges = [entry["status"] for entry in entries if entry["grant_type"] == "authorization_code"]
check("one code was exchanged, once", exchanges, [200])
noted = sorted({violation for entry in entries for violation in entry["violations"]})
check("nobody but the org was asked for anything", noted, [])

sys.exit(bool(failed))
