"""What is remembered of releases: who published and who approved, and the history that both halves share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Signature(msgspec.Struct, frozen=True):
    """Who acts, as they say; and the account of the machine from which they do."""

    author: str
    account: str = ""

    def is_one_of(self, names: Iterable[str]) -> bool:
        """Whether one of these names is theirs, however it is written."""
        return self.author.strip().casefold() in {name.strip().casefold() for name in names}

    def __str__(self) -> str:
        return self.author if self.account in {"", self.author} else f"{self.author} (as {self.account})"


NOBODY = Signature("")


class Approval(msgspec.Struct, frozen=True):
    """Somebody approves of the change with this digest."""

    cloud_id: str
    digest: str
    by: Signature
    given_s: int


class Publication(msgspec.Struct, frozen=True):
    """Somebody published at this moment, and somebody else approved of it, if a second person was needed or asked."""

    published_s: int
    by: Signature
    note: str = ""
    approved_by: Signature = NOBODY
    approved_s: int | None = None


class Published(msgspec.Struct, frozen=True):
    """A version of one half that became Live."""

    number: int
    published_s: int
    author: str = ""
    note: str = ""


class Release(msgspec.Struct, frozen=True):
    """What phones got from a moment on: the numbers of the app and of the policy, None where there was none.

    `changed` names the halves that became others then. `number` counts the releases of a Cloud ID.
    """

    cloud_id: str
    number: int
    app: int | None
    policy: int | None
    changed: tuple[str, ...]
    publication: Publication


def history(
    cloud_id: str,
    apps: Iterable[Published],
    policies: Iterable[Published],
    publications: Mapping[int, Publication],
) -> list[Release]:
    """The releases, the newest first: versions that became Live at one moment are one release."""
    halves: dict[int, dict[str, Published]] = {}
    for half, versions in (("app", apps), ("policy", policies)):
        for version in versions:
            halves.setdefault(version.published_s, {})[half] = version
    standing: dict[str, int] = {}
    releases: list[Release] = []
    for number, (moment_s, found) in enumerate(sorted(halves.items()), 1):
        standing |= {half: version.number for half, version in found.items()}
        any_of_them = next(iter(found.values()))
        otherwise = Publication(moment_s, Signature(any_of_them.author), any_of_them.note)
        publication = publications.get(moment_s, otherwise)
        both = standing.get("app"), standing.get("policy")
        releases.append(Release(cloud_id, number, *both, tuple(found), publication))
    return releases[::-1]
