"""Plays the person in the browser: opens an authorization URL, logs in, presses Allow, and
follows the way back to the application.

Usage: browser.py READY_FILE URL
The proxy and the authority's certificate come from the environment (HTTPS_PROXY,
SSL_CERT_FILE), as for every other client.
"""

import html.parser
import json
import sys
import urllib.error
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    """The only form of a page: where it is sent, and its hidden fields."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes["value"]


class StayHere(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the caller."""

    def redirect_request(self, *_):
        return None


def main(ready_file, url):
    with open(ready_file, encoding="utf-8") as file:
        ready = json.load(file)
    browser = urllib.request.build_opener(StayHere)
    with browser.open(url) as answer:
        form = Form(answer.read().decode())
    fields = form.fields | {
        "username": ready["username"],
        "password": ready["password"],
        "action": "allow",
    }
    body = urllib.parse.urlencode(fields).encode()
    try:
        browser.open(urllib.parse.urljoin(url, form.action), body)
    except urllib.error.HTTPError as answer:
        callback = answer.headers["Location"]
    else:
        sys.exit("Allow did not lead anywhere")
    # What the application shows there is its own page, after a redirect of its own.
    urllib.request.urlopen(callback).read()


main(*sys.argv[1:])
