"""A hook of your own, as small as it can be: it gives each new user a mailbox, and takes it back.

OFFHOOK_SECRET=whsec_... python examples/hook.py --port 8301 --file mailboxes.sqlite3

It needs nothing but Python. Replace `_open_mailbox`, `_close_mailbox` and `_send_code` by what your system does; keep
the check of the signature, and keep that a webhook-id is carried out once.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MAX_BODY = 64 * 1024
TOLERANCE_S = 300
SEATS = 1000
TABLES = """
CREATE TABLE IF NOT EXISTS mailbox (cloud_id TEXT, username TEXT, name TEXT, PRIMARY KEY (cloud_id, username));
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, status INTEGER, answer TEXT);
"""


def is_genuine(secret: bytes, headers: Message, body: bytes) -> bool:
    """Whether it was signed with our secret within the last minutes, as Standard Webhooks describes it."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > TOLERANCE_S:
        return False
    mac = hmac.digest(secret, f"{message_id}.{sent}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(mac).decode()
    return any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split())


def _open_mailbox(database: sqlite3.Connection, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The user has a mailbox; what is said of it becomes attributes of theirs."""
    if database.execute("SELECT count(*) FROM mailbox").fetchone()[0] >= SEATS:
        # The person reads this, and whatever was made for them is undone.
        return 403, {"message": "All mailboxes are taken. Please contact your provider."}
    name = content["attributes"].get("number", content["username"])
    row = (content["cloud_id"], content["username"], name)
    database.execute("INSERT INTO mailbox VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
    return 200, {"attributes": {"mailbox": name}}


def _close_mailbox(database: sqlite3.Connection, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The user has none, whether or not there was one."""
    named = (content["cloud_id"], content["username"])
    database.execute("DELETE FROM mailbox WHERE cloud_id = ? AND username = ?", named)
    return 200, {}


def _send_code(content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Get the code to whoever signs up, within seconds; here it is printed."""
    print(f"code for {content['address']}: {content['code']}", flush=True)
    return 200, {}


def carry_out(database: sqlite3.Connection, kind: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What each kind of request means here; the status and the answer."""
    match kind:
        case "user.provision":
            return _open_mailbox(database, content)
        case "user.deprovision":
            return _close_mailbox(database, content)
        case "user.code":
            return _send_code(content)
        case _:
            return 400, {"message": "This system does not know this kind of request."}


class Receiver(BaseHTTPRequestHandler):
    """One request."""

    secret = b""
    file = Path("mailboxes.sqlite3")

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
        message, key = json.loads(body), self.headers["webhook-id"]
        with sqlite3.connect(self.file) as database:
            # What was done, and that it was done, are one transaction: a crash leaves both or none.
            database.execute("BEGIN IMMEDIATE")
            seen = database.execute("SELECT status, answer FROM seen WHERE id = ?", (key,)).fetchone()
            if seen is None:
                status, answer = carry_out(database, message["type"], message["data"])
                database.execute("INSERT INTO seen VALUES (?, ?, ?)", (key, status, json.dumps(answer)))
            else:
                status, answer = seen[0], json.loads(seen[1])
        self._answer(status, answer)

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing of each request: who signs up is nobody else's business."""


def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8301, help="where it listens; 0 takes a free one")
    parser.add_argument("--file", type=Path, default=Path("mailboxes.sqlite3"), help="where it keeps the mailboxes")
    given = parser.parse_args()
    Receiver.secret = base64.b64decode(os.environ["OFFHOOK_SECRET"].removeprefix("whsec_"))
    Receiver.file = given.file
    with sqlite3.connect(given.file) as database:
        database.executescript(TABLES)
    with ThreadingHTTPServer(("127.0.0.1", given.port), Receiver) as server:
        print(f"Listening on http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
