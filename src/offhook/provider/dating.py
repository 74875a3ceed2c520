"""Under which date an install is answered where answers change by themselves: with time, or with the phone (D10)."""

from __future__ import annotations

import msgspec

from offhook.policy.clock import DAY_S
from offhook.provider.rulings import Case
from offhook.provider.validators import Served


class Dating(msgspec.Struct, frozen=True):
    """The date of what an install gets now.

    Mostly that is the date at which somebody changed something. Where a policy asks for the time or for the phone, two
    answers of one such date can differ. Then each install has dates of its own: one that was given stands for the
    variant (all that the answer is made from) and the bytes that it was given with, and every other variant with other
    bytes gets a later one. Variants are told apart by `modified_s` as well, so no later change can take such a date.
    """

    modified_s: int
    variant: str
    served: Served

    @classmethod
    def of(cls, case: Case, modified_s: int, served: Served) -> Dating:
        """That of one case; `modified_s` is when somebody last changed something."""
        is_plain = not case.varies and served.dated_s < modified_s
        return cls(modified_s, "" if is_plain else case.variant(modified_s), served)

    @property
    def known_s(self) -> int | None:
        """The date, if it is known before anything is composed."""
        if not self.variant:
            return self.modified_s
        return self.served.dated_s if self.variant == self.served.variant else None

    def answered(self, digest: str, now_s: int, held_s: int) -> Served | None:
        """What is to be remembered of an answer with these bytes, its date among it; None when it is `modified_s`.

        `held_s` is the date of what the phone has. When it is a later one than we know of, we forgot it in a crash, or
        another process gave it, with bytes that we do not know: then no date up to that one stands for these bytes. A
        date that lies more than a day ahead was not given by us.
        """
        if not self.variant:
            return None
        served, held_s = self.served, held_s if held_s <= now_s + DAY_S else 0
        if served.digest == digest and served.dated_s >= max(self.modified_s, held_s):
            return Served(self.variant, digest, served.dated_s)
        return Served(self.variant, digest, max(self.modified_s, now_s, served.dated_s + 1, held_s + 1))
