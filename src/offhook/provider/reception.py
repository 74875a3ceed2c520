"""The reception: who may come in the first time, and who is let in by somebody else than by a password kept here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias, assert_never

from offhook.core.errors import Fault, Refused, Unavailable
from offhook.core.secret import Discreet
from offhook.provider import change as changes
from offhook.provider.change import NOBODY
from offhook.provider.invitation import GONE, Invitation, read_token
from offhook.provider.invitations import Invited
from offhook.provider.making import Making, Pace
from offhook.provider.onboarding import ByInvitation, ByUpstream, Closed, SignUp
from offhook.provider.ports import Found
from offhook.provider.request import Inputs, SignInRequest
from offhook.provider.signup import SENT, WRONG_CODE, SignUps, is_code
from offhook.provider.subscriber import Subscriber, username_key
from offhook.provider.tenant import Tenant
from offhook.provider.vouchers import Vouchers, attributes_of
from offhook.provider.vouching import Vouching

Check: TypeAlias = Callable[[], Awaitable[None]]


class Guest(Discreet, frozen=True):
    """Somebody at the door of a Cloud ID: what is known of them, and what they came with."""

    tenant: Tenant
    found: Found
    inputs: Inputs
    request: SignInRequest

    def __str__(self) -> str:
        return self.tenant.cloud_id


class Reception:
    """Asks whoever the Cloud ID says. Users with a password of their own here are known already, and not its matter."""

    def __init__(
        self,
        *,
        making: Making,
        vouching: Vouching,
        vouchers: Vouchers,
        sign_ups: SignUps,
        invited: Invited | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._invited = invited
        self._making, self._vouching, self._vouchers, self._sign_ups = making, vouching, vouchers, sign_ups
        self._pace = pace or Pace()

    def faults(self, tenant: Tenant, inputs: Inputs) -> tuple[Fault, ...]:
        """What is wrong with a request: whoever asks for a code has no password yet."""
        if not isinstance(tenant.onboarding, SignUp):
            return inputs.faults
        return tuple(fault for fault in inputs.faults if fault.place != tenant.names.password)

    async def admit(self, guest: Guest, check: Check) -> str | None:
        """The key of the user whom somebody else has vouched for; None when the password kept here was right.

        `check` looks whether it is. Raises Refused, TooMany, Unavailable.
        """
        token = read_token(guest.inputs.password.reveal())
        if token is not None and self._invited is not None:
            invitation: Invitation | None = await self._pace.aside(self._invited.find, token)
            return await self._by_invitation(guest, self._invited, invitation, check)
        match guest.tenant.onboarding:
            case Closed() | ByInvitation():
                await check()
                return None
            case ByUpstream() as mode:
                return await self._by_upstream(guest, mode, check)
            case SignUp() as mode:
                return await self._by_code(guest, mode, check)
            case other:
                assert_never(other)

    async def ready(self, user: Subscriber) -> None:
        """Wait until a user who is being made may come in. Raises Refused, Unavailable."""
        await self._making.ready(user)

    async def ask_for_code(self, guest: Guest) -> str:
        """Send a code to whoever signs up; returns what to tell them. Raises Refused, TooMany, Unavailable."""
        mode = guest.tenant.onboarding
        if not isinstance(mode, SignUp):
            raise Refused("Nobody can sign up here by themselves. Please contact your provider.")
        await self._send_code(guest, mode)
        return SENT

    async def _by_upstream(self, guest: Guest, mode: ByUpstream, check: Check) -> str | None:
        tenant, inputs, known = guest.tenant, guest.inputs, guest.found.subscriber
        if known is not None and known.password != NOBODY and await self._is_ours(known):
            await check()
            return None
        answer = await self._vouching.vouched(
            tenant.cloud_id, mode.upstream, inputs.username, inputs.password, guest.request.client
        )
        if changes.username_faults(answer.username):
            raise Unavailable(f"The upstream {mode.upstream} gives a user a name that nobody can have here.", 60)
        # It is not always what they have typed, so nobody has looked yet whose name it is here.
        await self._pace.aside(self._vouchers.check, tenant.cloud_id, answer.username, mode)
        if guest.request.keep:
            entered = await self._making.entered(tenant, answer.username, attributes_of(answer, tenant.numbers))
            await self._pace.aside(self._vouchers.vouched, tenant, answer.username, mode, answer)
            await self._making.ready(entered.subscriber, entered)
        return username_key(answer.username)

    async def _by_invitation(
        self, guest: Guest, invited: Invited, invitation: Invitation | None, check: Check
    ) -> str | None:
        """By an invitation, which stands in place of the password; the first device that comes has it."""
        tenant, inputs, user = guest.tenant, guest.inputs, guest.found.subscriber
        whose = (invitation.cloud_id, username_key(invitation.username)) if invitation else None
        if invitation is None or whose != (tenant.cloud_id, inputs.username_key):
            # Somebody's password may look so; otherwise it counts as a wrong one.
            await check()
            return None
        keep = guest.request.keep
        device = inputs.device or f"@{guest.request.client}"
        await self._pace.aside(lambda: invited.let_in(invitation, user, device, keep=keep))
        if user is None and not isinstance(tenant.onboarding, ByInvitation):
            raise Refused(GONE)
        if keep:
            # Who is removed afterwards is not made once more.
            if user is None:
                user = await self._making.made(tenant, invitation.username, invitation.attributes)
            else:
                await self._making.ready(user)
            await self._pace.aside(invited.belongs, invitation, user)
        return inputs.username_key

    async def _is_ours(self, known: Subscriber) -> bool:
        """Whether no upstream ever vouched for this user: the operator gave them a password here."""
        return await self._pace.aside(self._vouchers.find, known.cloud_id, known.id) is None

    async def _by_code(self, guest: Guest, mode: SignUp, check: Check) -> str | None:
        """By the code, or by a password that the operator gave.

        The password of somebody who has none is checked as well: limits and answers are the same for everybody, and
        nobody can find out who is known here.
        """
        if not is_code(guest.inputs.password):
            with suppress(Refused):
                if guest.inputs.password:
                    await check()
                    return None
            await self._send_code(guest, mode)
            raise Refused(SENT)
        if not await self._has_code(guest):
            try:
                await check()
            except Refused:
                raise Refused(WRONG_CODE) from None
            return None
        if guest.found.subscriber is None and guest.request.keep:
            await self._making.made(guest.tenant, guest.inputs.username, {"email": guest.inputs.username})
        return guest.inputs.username_key

    async def _has_code(self, guest: Guest) -> bool:
        """Looked at for everybody: else the time would tell to whom the operator gave a password."""
        inputs, client = guest.inputs, guest.request.client
        right: bool = await self._pace.aside(
            self._sign_ups.fits,
            *(guest.tenant.cloud_id, inputs.username_key, inputs.password, inputs.device or client, client),
        )
        return right and _may_have_code(guest)

    async def _send_code(self, guest: Guest, mode: SignUp) -> None:
        request, inputs = guest.request, guest.inputs
        cloud_id, send = guest.tenant.cloud_id, _may_have_code(guest)
        await self._pace.aside(
            lambda: self._sign_ups.ask(
                *(cloud_id, mode, inputs.username, inputs.username_key, request.client), send=send, keep=request.keep
            )
        )


def _may_have_code(guest: Guest) -> bool:
    """Whether it is by codes that this user comes in: to whom the operator gave a password, none is sent."""
    known = guest.found.subscriber
    return known is None or known.password == NOBODY
