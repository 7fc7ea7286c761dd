"""Runs simple-salesforce, unchanged, against a simulated org and compares with its truth.

Usage: simple_salesforce_client.py READY_FILE TRUTH_FILE
The proxy and the authority's certificate come from HTTPS_PROXY and REQUESTS_CA_BUNDLE.
"""

import hashlib
import json
import sys

from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
)

FAILED = 0


def check(name, got, wanted):
    """Prints one line per comparison; the caller counts them."""
    global FAILED
    if got == wanted:
        print(f"ok simple-salesforce: {name}")
    else:
        FAILED += 1
        print(f"FAIL simple-salesforce: {name}: got {got!r}, wanted {wanted!r}")


def refused(action):
    """The error `action` raises, or None."""
    try:
        action()
    except Exception as error:  # every kind is compared by the caller
        return error
    return None


def main(ready_file, truth_file):
    with open(ready_file, encoding="utf-8") as file:
        ready = json.load(file)
    with open(truth_file, encoding="utf-8") as file:
        truth = json.load(file)
    host = ready["my_domain_host"]
    domain = host.removesuffix(".salesforce.com")

    org = Salesforce(
        domain=domain, consumer_key=ready["client_id"], consumer_secret=ready["client_secret"]
    )
    check("client credentials lead to the My Domain host", org.sf_instance, host)

    people = org.query_all_iter("SELECT Id, Username, Profile.Name FROM User ORDER BY Id")
    ids = [person["Id"] for person in people]
    users = truth["users"]
    check("every user is read, page by page", len(ids), users["count"])
    check("no user is read twice", len(set(ids)), len(ids))
    check("the first user is the first", ids[0], users["first_id"])
    check("the last user is the last", ids[-1], users["last_id"])
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    check("all ids agree, in order", digest, users["ids_sha256"])

    first = org.query("SELECT Id FROM User ORDER BY Id")
    check("the first page has 2,000 rows", len(first["records"]), min(2000, users["count"]))
    check("the total stands on the first page", first["totalSize"], users["count"])
    active = org.query("SELECT COUNT() FROM User WHERE IsActive = true")
    check("active users are counted", active["totalSize"], truth["active_users"])

    describe = org.User.describe()
    names = {field["name"] for field in describe["fields"]}
    check("User is described", describe["name"], "User")
    check("the describe has the usual fields", {"Id", "Username", "ProfileId"} - names, set())
    check("limits hold the daily requests", org.limits()["DailyApiRequests"]["Max"], 15000)
    record = org.User.get(ids[0])
    check("one record is read by its id", record["Id"], ids[0])

    error = refused(lambda: org.query("SELECT Id, NoSuchField FROM User"))
    check("an unknown field is refused", type(error), SalesforceMalformedRequest)
    check("with its code", error.content[0]["errorCode"], "INVALID_FIELD")
    stranger = Salesforce(instance_url=f"https://{host}", session_id="00D000000000001!nothing")
    error = refused(lambda: stranger.query("SELECT Id FROM User"))
    check("an unknown session is refused", type(error), SalesforceExpiredSession)
    error = refused(
        lambda: Salesforce(domain=domain, consumer_key=ready["client_id"], consumer_secret="wrong")
    )
    check("a wrong secret is refused", type(error), SalesforceAuthenticationFailed)
    check("with its code", error.code, "invalid_client")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
