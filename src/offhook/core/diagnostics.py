"""Notes about what was tolerated on the way: nothing failed, but somebody will want to know."""

import msgspec


class Diagnostic(msgspec.Struct, frozen=True):
    """One remark and its place: a service, a key, a line."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text
