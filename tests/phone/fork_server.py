"""A process that signs phones in, each in a child of its own that may be killed: a fork costs less than a start.

Reads "FOLDER PORTAL", writes "PID" and, from the child, "saving" and "saved". Reads a line when it may wait for the
child's end (until then its id is not given to another process), and writes "gone".
"""

import os
import sys
from pathlib import Path

from offhook.core.login import CloudId, Login
from offhook.core.secret import Secret
from offhook.phone.drive import perform
from offhook.phone.edge import SAVE, Edge
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.steps import Began, Ended, Event
from offhook.phone.wire import system_trust


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def tell(event: Event) -> None:
    if isinstance(event, Began | Ended) and event.service == SAVE:
        say("saving" if isinstance(event, Began) else "saved")


def sign_in(folder: str, portal: str) -> None:
    handset = Handset(Path(folder))
    login = Login(CloudId.parse("DEMO"), "ann", Secret("s3cret"))
    with handset.alone():
        perform(handset.signing_in(login, Portal(portal)), Edge(handset.act, tell))


def main() -> None:
    system_trust()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            sign_in(*line.split())
            os._exit(0)
        say(str(child))
        sys.stdin.readline()
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
