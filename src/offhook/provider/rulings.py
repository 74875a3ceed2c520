"""What the Live policy of a Cloud ID says of a user on a phone, asked by everything that answers phones."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from offhook.core.errors import Invalid, Unavailable
from offhook.policy import document
from offhook.policy.evaluate import Compiled
from offhook.policy.resolution import Resolution
from offhook.policy.rules import Policy
from offhook.policy.subject import Fact, Occasion, Subject
from offhook.provider.circumstances import NOTHING, Circumstances, subject_of
from offhook.provider.ports import Clock
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Tenant

# In memory, a policy takes some ten bytes for each character of its text.
MOST_CHARACTERS: Final = 16 * 1024 * 1024
SAYS_NOTHING: Final = Resolution()


class RulingStore(Protocol):
    """The device plane's view of policies. Every method may raise Unavailable."""

    def policy(self, cloud_id: str, number: int) -> str:
        """The text of a version."""

    def installs(self, cloud_id: str, subscriber_id: int, device: str) -> int:
        """How many phones of a user are active, but for this device; two installs of one device are one phone."""


class Case(msgspec.Struct, frozen=True):
    """A phone at one moment, and the policy that rules it, if there is any."""

    policy: Compiled | None
    now_s: int
    circumstances: Circumstances = NOTHING
    occasion: Occasion = Occasion.SIGN_IN
    installs: int = 1
    install_id: str = ""
    new_device: bool = True

    @property
    def varies(self) -> bool:
        """Whether what it gets may change although nobody changes anything."""
        return self.policy is not None and self.policy.varies

    def uses(self, fact: Fact) -> bool:
        """Whether what it gets may depend on this fact."""
        return self.policy is not None and fact in self.policy.uses

    def variant(self, modified_s: int) -> str:
        """Equal for two cases of one install that get equal answers, as of one date of changes."""
        made_from = [str(modified_s)]
        if self.policy is not None:
            made_from.append(str(self.policy.changed_s(self.now_s)))
            made_from += [f"{fact}={self._fact(fact)}" for fact in sorted(self.policy.uses)]
        return blake2b("\0".join(made_from).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def _fact(self, fact: Fact) -> str:
        match fact:
            case Fact.INSTALLS:
                return str(self.installs)
            case Fact.OCCASION:
                return self.occasion
            case _:
                return self.circumstances.fact(fact)

    def again(self) -> Case:
        """The same phone when it asks again."""
        return msgspec.structs.replace(self, occasion=Occasion.AGAIN)

    def subject(self, subscriber: Subscriber) -> Subject:
        """The user on this phone."""
        return subject_of(
            subscriber,
            self.circumstances,
            self.now_s,
            occasion=self.occasion,
            installs=self.installs,
            install_id=self.install_id,
            new_device=self.new_device,
        )

    def resolve(self, subscriber: Subscriber) -> Resolution:
        """What the policy says of the user on this phone."""
        return SAYS_NOTHING if self.policy is None else self.policy.resolve(self.subject(subscriber))


class Rulings:
    """Finds the policy of a Cloud ID and the facts that it asks for. A version never changes, so it is read once."""

    def __init__(self, store: RulingStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._compiled: dict[tuple[str, int], tuple[Compiled, int]] = {}
        self._characters = 0
        self._on_its_way: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def prepare(self, tenant: Tenant) -> None:
        """Have the Live policy ready, compiled in a thread beside the event loop; raises Unavailable.

        Who asks while it is being compiled waits for the same.
        """
        key = tenant.cloud_id, tenant.policy
        if not tenant.policy or key in self._compiled:
            return
        task = self._on_its_way.get(key)
        if task is None:
            task = asyncio.create_task(self._bring(key))
            self._on_its_way[key] = task
            task.add_done_callback(lambda _: self._on_its_way.pop(key))
        # Whoever ceases to wait does not take it away from the others.
        await asyncio.shield(task)

    async def _bring(self, key: tuple[str, int]) -> None:
        text = self._store.policy(*key)
        self._keep(key, await asyncio.to_thread(self._compile, key, text), len(text))

    def policy(self, tenant: Tenant) -> Compiled | None:
        """The Live policy, ready to be asked; raises Unavailable."""
        if not tenant.policy:
            return None
        key = tenant.cloud_id, tenant.policy
        known = self._compiled.pop(key, None)
        if known is None:
            text = self._store.policy(*key)
            return self._keep(key, self._compile(key, text), len(text))
        # The one that was asked last goes last.
        self._compiled[key] = known
        return known[0]

    def _keep(self, key: tuple[str, int], compiled: Compiled, size: int) -> Compiled:
        """Remember a policy, and forget those that were not asked for longest, if all together are too large."""
        self._characters += size - self._compiled.pop(key, (compiled, 0))[1]
        while self._compiled and self._characters > MOST_CHARACTERS:
            self._characters -= self._compiled.pop(next(iter(self._compiled)))[1]
        self._compiled[key] = compiled, size
        return compiled

    def _compile(self, key: tuple[str, int], text: str) -> Compiled:
        cloud_id, number = key
        try:
            compiled = Compiled(document.parse(text))
        except Invalid as error:
            # It was good when it was published, so no phone is told that its request is not.
            again = f"Publish it anew, with offhook policy restore {cloud_id} NUMBER"
            raise Unavailable(f"Policy {number} of {cloud_id} cannot be read: {error.text}. {again}.") from None
        # The first request need not wait for the clocks to be read.
        compiled.changed_s(self._clock.now_s())
        return compiled

    def supposed(self, tenant: Tenant, policy: Policy | None, now_s: int | None, phone: Case) -> Case:
        """A phone that somebody supposes: now by the Live policy, unless another moment or policy is given."""
        return msgspec.structs.replace(
            phone,
            policy=self.policy(tenant) if policy is None else Compiled(policy),
            now_s=self._clock.now_s() if now_s is None else now_s,
        )

    def counted(self, supposed: Case, tenant: Tenant, subscriber_id: int) -> Case:
        """The same, with as many phones as the user has; one that signs in is one more. Raises Unavailable."""
        active = self._store.installs(tenant.cloud_id, subscriber_id, "")
        installs = active + 1 if supposed.occasion is Occasion.SIGN_IN else max(1, active)
        return msgspec.structs.replace(supposed, installs=installs)

    def sign_in(
        self, tenant: Tenant, subscriber_id: int, circumstances: Circumstances, install_id: str, device: str
    ) -> Case:
        """The case of a phone that signs in; raises Unavailable."""
        policy = self.policy(tenant)
        installs, is_new = 1, True
        if policy is not None and (policy.limits or Fact.INSTALLS in policy.uses):
            others = self._store.installs(tenant.cloud_id, subscriber_id, device)
            installs += others
            # A phone that was reset is none too many, even where a limit came later than the phones.
            is_new = not device or self._store.installs(tenant.cloud_id, subscriber_id, "") == others
        return Case(policy, self._clock.now_s(), circumstances, Occasion.SIGN_IN, installs, install_id, is_new)

    def again(self, tenant: Tenant, subscriber_id: int, circumstances: Circumstances, install_id: str) -> Case:
        """The case of a phone that asks again; raises Unavailable."""
        policy = self.policy(tenant)
        installs = 1
        if policy is not None and Fact.INSTALLS in policy.uses:
            installs = self._store.installs(tenant.cloud_id, subscriber_id, "")
        return Case(policy, self._clock.now_s(), circumstances, Occasion.AGAIN, installs, install_id)
