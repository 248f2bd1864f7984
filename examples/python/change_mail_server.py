#!/usr/bin/env python3
"""Changes the mail server of an appliance in one transaction.

Usage: change_mail_server.py URL MAIL_SERVER
"""

import base64
import http.cookiejar
import json
import os
import ssl
import sys
import urllib.error
import urllib.request


class Appliance:
    """A session with the REST API: JSON in, JSON out, the login in a cookie."""

    def __init__(self, url):
        # Accepts any certificate. Against a real server: ssl.create_default_context(cafile=...).
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.api = url.rstrip("/") + "/api/"
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def call(self, method, path, body=None, headers=None):
        data = b"" if method == "POST" and body is None else None
        headers = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.api + path, data, headers, method=method)
        with self.opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def login(self, user, password):
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.call("GET", "authentication", headers={"Authorization": f"Basic {credentials}"})

    def logout(self):
        """Ends the session, which also rolls back a transaction that is still open."""
        self.call("DELETE", "authentication")


def change_mail_server(appliance, mail_server):
    appliance.call("POST", "transaction")
    path = "configuration/management/email"
    email = appliance.call("GET", path)["body"]
    email["smtp_server"] = {"selection": "fqdn", "value": mail_server}
    appliance.call("PUT", path, email)
    changes = appliance.call("GET", "transaction/changes")
    appliance.call("PUT", "transaction", {"status": "commit", "message": "New mail server"})
    return changes


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    url, mail_server = sys.argv[1:]
    appliance = Appliance(url)
    try:
        appliance.login(
            os.environ.get("BOXWOOD_USER", "admin"), os.environ.get("BOXWOOD_PASSWORD", "admin")
        )
        try:
            change_mail_server(appliance, mail_server)
        finally:
            appliance.logout()
    except urllib.error.HTTPError as error:
        # The body says what is wrong, where, and what to do.
        sys.exit(f"{error.code} {error.reason}: {error.read().decode()}")
    print(f"the mail server is now {mail_server}")


if __name__ == "__main__":
    main()
