"""One attempt to sign a phone in: its steps as they happen, and what was tolerated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from offhook.cli import phone_input, phone_view
from offhook.cli.phone_input import Given
from offhook.cli.phone_view import Steps
from offhook.core import screen
from offhook.core.diagnostics import Diagnostic
from offhook.core.login import CloudId, Login
from offhook.core.screen import Classic, Shown
from offhook.phone.commands import Flow
from offhook.phone.drive import perform_async
from offhook.phone.edge import Edge
from offhook.phone.handset import Handset
from offhook.phone.portal import Portal
from offhook.phone.saved import Saved
from offhook.phone.steps import Event, Remarked
from offhook.phone.stopped import Stopped

_Result = TypeVar("_Result")


class Attempt:
    """One sign-in of one phone."""

    def __init__(self, handset: Handset, steps: Steps) -> None:
        self.handset, self.steps = handset, steps
        self.remarks: list[Diagnostic] = []

    def report(self) -> dict[str, Any]:
        """The steps and remarks, for a program."""
        return {"steps": self.steps.objects(), "diagnostics": phone_view.remark_objects(self.remarks)}

    def sign_in(self, given: Given, portal: Portal, label: CloudId | None, *, pinned: str, strict: bool) -> Saved:
        """Be the app `label`, or the generic one, ask for what is missing, and sign in. Raises OffhookError."""
        given.check()
        with self._noted(), self.handset.alone():
            first = screen.show(Classic())
            if label is not None:
                offered = asyncio.run(self._drive(self.handset.first_screen(label, portal, pinned=pinned)))
                self.remarks += offered.remarks
                first, pinned = phone_input.screen_of(label, offered.screen), offered.portal_key
            # Not inside the loop: while a person thinks, Ctrl-C must end the command at once.
            login = phone_input.read_login(given, first)
            return asyncio.run(self._sign_in(login, portal, shown=first, pinned=pinned, strict=strict))

    async def sign_in_as(self, login: Login, portal: Portal) -> Saved:
        """Sign in as the generic app, in a loop that runs already. Raises OffhookError."""
        with self._noted(), self.handset.alone():
            return await self._sign_in(login, portal, shown=None, pinned="", strict=False)

    async def _sign_in(self, login: Login, portal: Portal, *, shown: Shown | None, pinned: str, strict: bool) -> Saved:
        if not login.username:
            text = f"has no username: {login.cloud_id} was taken for the Cloud ID. A user is written like name@CLOUDID"
            self.remarks.append(Diagnostic("sign-in", text))
        saved = await self._drive(self.handset.signing_in(login, portal, pinned=pinned, shown=shown, strict=strict))
        self.remarks += saved.diagnostics
        return saved

    async def _drive(self, flow: Flow[_Result]) -> _Result:
        with self.steps.watched():
            return await perform_async(flow, Edge(self.handset.act, self._told))

    def _told(self, event: Event) -> None:
        if isinstance(event, Remarked):
            self.remarks.append(event.diagnostic)
        else:
            self.steps(event)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Remarks are told also when it ends early."""
        try:
            yield
        except Stopped as stopped:
            self.remarks += stopped.remarks
            if self.steps.console:
                phone_view.print_remarks(self.steps.console, self.remarks)
            raise
