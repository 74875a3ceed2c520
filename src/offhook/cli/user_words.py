"""The words of `offhook user add` and `set`, read into one change."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
import typer

from offhook.cli import asking
from offhook.cli.exits import Misused
from offhook.core.dialplan import QuickDial
from offhook.core.errors import Invalid
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider import expiry
from offhook.provider.change import Change, Never
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME, Override

# No channel has a rank near this; what is above says nothing more.
MAX_PRIORITY: Final = 1000

AttributeOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--attribute", help="Something known of the user: tier=gold.", metavar="NAME=TEXT")
]
SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", help="A key of the account for this user alone: allowMessage=0.", metavar="KEY=VALUE"),
]
SetXmlOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set-xml", help="A key whose value is elements.", metavar="KEY=XML")
]
SetFileOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set-file", help="A key whose value is the first line of a file, for one that is secret.", metavar="KEY=FILE"
    ),
]
PriorityOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_PRIORITY,
        help="Rank of what --set sets: 20 unless given, 40 and more beats the user's own choice.",
    ),
]
QuickDialOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--quick-dial", help="A quick dial: 'desk,Front desk,200'.", metavar="ID,NAME,NUMBER[,PICTURE]"),
]
PasswordStdinOption: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]
GeneratePasswordOption: TypeAlias = Annotated[
    bool, typer.Option("--generate-password", help="Make a password up and show it, once.")
]
SipUsernameOption: TypeAlias = Annotated[str | None, typer.Option(help="SIP username.", metavar="TEXT")]
SipPasswordOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Read the SIP password from this file; - is the next line of standard input.", metavar="FILE"),
]
SecretFileOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--secret-file", help="Something secret of the user, from a file: pin=FILE.", metavar="NAME=FILE"),
]

ExpiresOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expires", help="When the account ends: 2027-01-31, or 2027-01-31T18:00 (UTC); never.", metavar="DATE"
    ),
]

_READABLE: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # none looks like another
_T = TypeVar("_T")


class Words(msgspec.Struct, frozen=True):
    """The options as they were given."""

    attributes: Sequence[str] = ()
    remove_attributes: Sequence[str] = ()
    overrides: Sequence[str] = ()
    xml_overrides: Sequence[str] = ()
    override_files: Sequence[str] = ()
    unset: Sequence[str] = ()
    priority: int | None = None
    quick_dials: Sequence[str] = ()
    remove_quick_dials: Sequence[str] = ()
    sip_username: str | None = None
    sip_password_file: Path | None = None
    new_sip_password: bool = False
    secret_files: Sequence[str] = ()
    remove_secrets: Sequence[str] = ()
    expires: str | None = None

    def change(self) -> Change:
        """The change they mean; secrets are read now, in the order of their options. Raises Misused."""
        if self.new_sip_password and self.sip_password_file:
            raise Misused("--new-sip-password makes one up, --sip-password-file gives one: choose.")
        return Change(
            attributes=self._attributes(),
            secrets=self._secrets(),
            overrides=self._overrides(),
            quick_dials=self._quick_dials(),
            generate_sip=self.new_sip_password,
            expires_s=None if self.expires is None else _expiry(self.expires),
        )

    def _attributes(self) -> dict[str, str | None]:
        given = _pairs("--attribute", self.attributes, str)
        _check_seen("--attribute", given, "use --secret-file {}=FILE")
        if self.sip_username is not None:
            given[SIP_USERNAME] = self.sip_username
        return {**dict.fromkeys(self.remove_attributes), **given}

    def _secrets(self) -> dict[str, Secret | None]:
        secrets: dict[str, Secret | None] = dict.fromkeys(self.remove_secrets)
        if self.sip_password_file is not None:
            secrets[SIP_PASSWORD] = asking.secret_from(self.sip_password_file)
        if self.new_sip_password:
            secrets[SIP_PASSWORD] = None
        return {**secrets, **_pairs("--secret-file", self.secret_files, lambda file: asking.secret_from(Path(file)))}

    def _overrides(self) -> dict[str, Override | None]:
        texts = _pairs("--set", self.overrides, lambda text: Override(text, rank=self.priority))
        markup = _pairs("--set-xml", self.xml_overrides, lambda xml: Override(xml, markup=True, rank=self.priority))
        _check_seen("--set", texts, "use --set-file {}=FILE")
        _check_seen("--set-xml", markup, "give it in the column override:{} of offhook user import")
        return {**dict.fromkeys(self.unset), **texts, **markup, **self._overrides_from_files()}

    def _overrides_from_files(self) -> dict[str, Override]:
        lines = _pairs("--set-file", self.override_files, lambda file: asking.secret_from(Path(file)))
        return {key: Override(line.reveal(), rank=self.priority) for key, line in lines.items()}

    def _quick_dials(self) -> dict[str, QuickDial | None]:
        return {
            **dict.fromkeys(self.remove_quick_dials),
            **{item.id: item for item in map(_quick_dial, self.quick_dials)},
        }


def new_password(token: Callable[[int], bytes]) -> Secret:
    """A password that a person can type, of 80 random bits: four groups of four."""
    number = int.from_bytes(token(10))
    letters = "".join(_READABLE[number >> shift & 31] for shift in range(0, 80, 5))
    return Secret("-".join(letters[start : start + 4] for start in range(0, 16, 4)))


def _expiry(word: str) -> int | Never:
    try:
        return expiry.parse(word)
    except Invalid as error:
        raise Misused(f"--expires {error.faults[0].text}.") from None


def _check_seen(option: str, names: Iterable[str], otherwise: str) -> None:
    """Refuse a secret on the command line, where everybody on the machine sees it. Raises Misused."""
    for name in filter(changes.is_secret, names):
        raise Misused(f"{option} {name}=... shows a secret to all users of this machine: {otherwise.format(name)}.")


def _pairs(option: str, words: Iterable[str], read: Callable[[str], _T]) -> dict[str, _T]:
    pairs = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Misused(f"{option} takes NAME=VALUE, and {name[:80]!r} has no '=' behind its name.")
        if not name:
            raise Misused(f"{option} takes NAME=VALUE, and {word[:80]!r} has no name before its '='.")
        pairs[name] = read(text)
    return pairs


def _quick_dial(word: str) -> QuickDial:
    cells = next(csv.reader([word], skipinitialspace=True), [])
    if not 3 <= len(cells) <= 4:
        has = "has no comma" if len(cells) < 2 else f"has {len(cells)} parts"
        raise Misused(f"--quick-dial takes ID,NAME,NUMBER such as 'desk,Front desk,200', and {word[:80]!r} {has}.")
    identity, name, number, picture = (*(cell.strip() for cell in cells), "")[:4]
    return QuickDial(identity, name, number, picture)
