"""A SIP system of your own, as small as it can be: it receives Offhook's signed requests and keeps accounts in a file.

OFFHOOK_SECRET=whsec_... python examples/sip_webhook.py --port 8300 --file accounts.sqlite3

It needs nothing but Python. Replace the four functions that begin with an underscore and a verb by what your system
does; keep the check of the signature, and keep that a webhook-id is carried out once.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

MAX_BODY = 64 * 1024
TOLERANCE_S = 300
KINDS = {"sip.ensure", "sip.rotate", "sip.disable", "sip.remove", "sip.look_up", "sip.registered"}
TABLES = """
CREATE TABLE IF NOT EXISTS account (
    username TEXT, domain TEXT, enabled INTEGER, ha1s TEXT, aliases TEXT, registered INTEGER DEFAULT 0,
    PRIMARY KEY (username, domain)
);
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, answer TEXT);
"""


def is_genuine(secret: bytes, headers: Message, body: bytes) -> bool:
    """Whether it was signed with our secret within the last minutes, as Standard Webhooks describes it."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > TOLERANCE_S:
        return False
    mac = hmac.digest(secret, f"{message_id}.{sent}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(mac).decode()
    return any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split())


def _put_account(database: sqlite3.Connection, wanted: dict[str, Any]) -> None:
    database.execute(
        "INSERT INTO account (username, domain, enabled, ha1s, aliases) VALUES (?, ?, 1, ?, ?) "
        "ON CONFLICT (username, domain) DO UPDATE SET enabled = 1, ha1s = excluded.ha1s, aliases = excluded.aliases",
        (wanted["username"], wanted["domain"], json.dumps(wanted["ha1s"]), json.dumps(wanted.get("aliases", []))),
    )


def _disable_account(database: sqlite3.Connection, named: dict[str, Any]) -> None:
    database.execute(
        "UPDATE account SET enabled = 0, ha1s = '[]', registered = 0 WHERE username = ? AND domain = ?",
        (named["username"], named["domain"]),
    )


def _remove_account(database: sqlite3.Connection, named: dict[str, Any]) -> None:
    database.execute("DELETE FROM account WHERE username = ? AND domain = ?", (named["username"], named["domain"]))


def _find_account(database: sqlite3.Connection, named: dict[str, Any]) -> dict[str, Any]:
    columns = "enabled, ha1s, aliases, registered"
    found = database.execute(
        f"SELECT {columns} FROM account WHERE username = ? AND domain = ?",  # noqa: S608 - no value is in it
        (named["username"], named["domain"]),
    ).fetchone()
    if found is None:
        return {"found": False}
    enabled, ha1s, aliases, registered = found
    account = {"found": True, "enabled": bool(enabled), "ha1s": json.loads(ha1s), "aliases": json.loads(aliases)}
    return account | {"registered": bool(registered)}


def carry_out(database: sqlite3.Connection, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """What each kind of request means here; the answer."""
    match kind:
        case "sip.ensure":
            _put_account(database, content)
        case "sip.rotate":
            found = bool(_find_account(database, content)["found"])
            if found:
                _put_account(database, content)
            return {"found": found}
        case "sip.disable":
            _disable_account(database, content)
        case "sip.remove":
            _remove_account(database, content)
        case "sip.look_up":
            account = _find_account(database, content)
            account.pop("registered", None)
            return account
        case "sip.registered":
            states = [(one, _find_account(database, one)) for one in content["accounts"]]
            return {"accounts": [one | {"registered": state.get("registered", False)} for one, state in states]}
        case _:
            raise AssertionError(kind)
    return {}


class Receiver(BaseHTTPRequestHandler):
    """One request."""

    secret = b""
    file = Path("accounts.sqlite3")

    def do_POST(self) -> None:
        """Check it, carry it out once, and say what came of it."""
        length = int(self.headers.get("content-length", "0"))
        if length > MAX_BODY:
            self._answer(413, {"message": "This is too much."})
            return
        body = self.rfile.read(length)
        if not is_genuine(self.secret, self.headers, body):
            self._answer(401, {"message": "This is not signed with the secret of this system."})
            return
        message = json.loads(body)
        if message["type"] not in KINDS:
            # To say yes to what is new to this system would be a lie.
            self._answer(400, {"message": "This system does not know this kind of request."})
            return
        with sqlite3.connect(self.file) as database:
            # What was done, and that it was done, are one transaction: a crash leaves both or none.
            database.execute("BEGIN IMMEDIATE")
            seen = database.execute("SELECT answer FROM seen WHERE id = ?", (self.headers["webhook-id"],)).fetchone()
            if seen is None:
                answer = json.dumps(carry_out(database, message["type"], message["data"]))
                # Questions change nothing, and need no memory.
                if message["type"] not in {"sip.look_up", "sip.registered"}:
                    database.execute("INSERT INTO seen VALUES (?, ?)", (self.headers["webhook-id"], answer))
            else:
                answer = seen[0]
        self._answer(200, json.loads(answer))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing of each request: what is in it logs in."""


def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8300, help="where it listens; 0 takes a free one")
    parser.add_argument("--file", type=Path, default=Path("accounts.sqlite3"), help="where it keeps the accounts")
    given = parser.parse_args()
    Receiver.secret = base64.b64decode(os.environ["OFFHOOK_SECRET"].removeprefix("whsec_"))
    Receiver.file = given.file
    with sqlite3.connect(given.file) as database:
        database.executescript(TABLES)
    with HTTPServer(("127.0.0.1", given.port), Receiver) as server:
        print(f"Listening on http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
