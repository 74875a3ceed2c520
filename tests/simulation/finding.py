"""Something that must not be: which sentence it breaks, what was seen, and on which phone."""

from __future__ import annotations


class Finding(AssertionError):
    """A sentence that did not hold."""

    def __init__(self, invariant: str, sentence: str, seen: str, phone: int | None = None) -> None:
        super().__init__(f"{invariant}: {sentence}\nseen: {seen}")
        self.invariant, self.sentence, self.seen, self.phone = invariant, sentence, seen, phone
