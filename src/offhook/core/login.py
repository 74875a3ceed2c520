"""What a person typed, tapped or scanned to sign in, taken apart and put together again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

import msgspec

from offhook.core.errors import Invalid
from offhook.core.secret import Secret

SCHEME: Final = "csc"
ENVIRONMENTS: Final = ("alpha", "beta", "production")
MAX_TEXT: Final = 2048
NO_PASSWORD: Final = Secret("")

# What stands for a byte that is no text, in an argument of the command line.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CLOUD_ID: Final = re.compile(r"([A-Za-z0-9._-]{1,64})(\*?)")
_LINK: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://)?(?:(?P<user>[^/?#]*)@)?(?P<host>[^@/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?",
    re.DOTALL,
)


_TOKEN: Final = re.compile(r"(?:^|(?<=&))token=[^&]*")


class CloudId(msgspec.Struct, frozen=True):
    """The name of an app on the portal; with a star, its Editable version (D1)."""

    name: str
    editable: bool = False
    entered: str = ""

    @classmethod
    def parse(cls, text: str) -> CloudId:
        """Read what was entered; raises Invalid when it cannot be a Cloud ID."""
        entered = text.strip()
        found = _CLOUD_ID.fullmatch(entered)
        # A name of dots alone would be another folder in the path of a URL.
        if found is None or not found[1].strip("."):
            shown = f"{entered[:80]!r} cannot be one" if entered else "is missing"
            wanted = "1 to 64 letters, digits, '.', '_' or '-', with a '*' behind it for the Editable version"
            raise Invalid.at("Cloud ID", f"{shown}: it has {wanted}")
        return cls(found[1].upper(), bool(found[2]), entered)

    @property
    def full_code(self) -> str:
        """What `%fullcode%` expands to: the id as it was entered, star included."""
        return self.entered or str(self)

    def __str__(self) -> str:
        return self.name + "*" * self.editable


class Login(msgspec.Struct, frozen=True):
    """The three inputs of a sign-in, and the extras a link may bring along."""

    cloud_id: CloudId
    username: str = ""
    password: Secret = NO_PASSWORD
    extras: Mapping[str, str] = {}


def parse_field(first: str, password: Secret, fixed: CloudId | None = None) -> Login:
    """Read the two fields of the classic screen (D2); `fixed` is the Cloud ID that a white label has built in.

    A white label's first field is a plain username. Otherwise it splits at its last `@`, and the username is
    URL-decoded once; the password never is. Raises Invalid.
    """
    if not (_is_text(first) and _is_text(password.reveal())):
        raise Invalid.at("sign-in", f"a field has more than {MAX_TEXT:,} characters, or bytes that are no text")
    if fixed is not None:
        return Login(fixed, first.strip(), password)
    username, _, cloud_id = first.strip().rpartition("@")
    return Login(CloudId.parse(cloud_id), _decode(username), password)


class OAuth(msgspec.Struct, frozen=True):
    """What a `/oauth` link hands on to an external sign-in service."""

    provider: str
    token: Secret


class Link(msgspec.Struct, frozen=True):
    """A csc: link or QR text. A username or password of None was left out and is to be asked for."""

    cloud_id: CloudId
    username: str | None = None
    password: Secret | None = None
    environment: str = "production"
    extras: Mapping[str, str] = {}
    oauth: OAuth | None = None

    def login(self, username: str = "", password: Secret = NO_PASSWORD) -> Login:
        """The login, with what the link left out filled in."""
        return Login(
            self.cloud_id,
            self.username if self.username is not None else username,
            self.password if self.password is not None else password,
            self.extras,
        )


def is_link(text: str, scheme: str = SCHEME) -> bool:
    """Whether a text is a link rather than something typed into the first field."""
    return text.strip().lower().startswith((f"{SCHEME}:", f"{scheme.lower()}:"))


def parse_link(text: str, scheme: str = SCHEME) -> Link:
    """Read `csc:user:password@ID` or `csc://user:password@ID?...`; `scheme` may be a white label's own.

    Username and password are decoded once each. Raises Invalid with every fault's place.
    """
    found = _LINK.fullmatch(text.strip()) if _is_text(text) else None
    if found is None or found["scheme"].lower() not in {SCHEME, scheme.lower()}:
        raise Invalid.at("link", f"does not begin with {scheme}: or is longer than {MAX_TEXT:,} characters")
    if found["fragment"]:
        raise Invalid.at("link", "has a part behind '#', which a provisioning link must not have")
    if found["path"] not in {"", "/oauth"}:
        raise Invalid.at("link", "has a path other than /oauth; a '/' in a username or password is written as %2F")
    if ":" in found["host"] and found["user"] is None and "@" in text:
        raise Invalid.at("link", "has a '/', '?' or '#' in its username or password; they are written %2F, %3F and %23")
    if ":" in found["host"]:
        raise Invalid.at("link", "names a port, which a provisioning link must not have")
    username, password = _user_parts(found["user"])
    query = found["query"] or ""
    extras = _first_values(_TOKEN.sub(_with_plus, query) if found["path"] else query)
    environment = extras.pop("env", "production")
    if environment not in ENVIRONMENTS:
        raise Invalid.at("link", f"names the environment {environment[:40]!r}; known are {', '.join(ENVIRONMENTS)}")
    oauth = _oauth(extras) if found["path"] else None
    return Link(CloudId.parse(unquote(found["host"])), username, password, environment, extras, oauth)


def write_link(link: Link, scheme: str = SCHEME, *, slashes: bool = False) -> str:
    """The text of a link or QR code; username and password are encoded once each."""
    user = "" if link.username is None else quote(link.username, safe="")
    if link.password is not None:
        user += ":" + quote(link.password.reveal(), safe="")
    parameters = dict(link.extras)
    if link.environment != "production":
        parameters = {"env": link.environment, **parameters}
    if link.oauth:
        parameters = {**parameters, "token": link.oauth.token.reveal(), "provider": link.oauth.provider}
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in parameters.items())
    opening = f"{scheme}://" if slashes or query else f"{scheme}:"
    return "".join(
        (
            opening,
            f"{user}@" if user or link.username is not None else "",
            link.cloud_id.full_code,
            "/oauth" if link.oauth else "",
            f"?{query}" if query else "",
        )
    )


def _user_parts(user: str | None) -> tuple[str | None, Secret | None]:
    if user is None:
        return None, None
    username, colon, password = user.partition(":")
    return _decode(username), Secret(_decode(password)) if colon else None


def _first_values(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(key, value)
    return values


def _with_plus(token: re.Match[str]) -> str:
    """A token as a query writes it: most are base64, where a plus is no blank."""
    return token.group().replace("+", "%2B")


def _oauth(extras: dict[str, str]) -> OAuth:
    missing = [name for name in ("token", "provider") if not extras.get(name)]
    if missing:
        raise Invalid.at("link", f"is an /oauth link without {' and '.join(missing)}")
    return OAuth(extras.pop("provider"), Secret(extras.pop("token")))


def _is_text(text: str) -> bool:
    return len(text) <= MAX_TEXT and not _SURROGATE.search(text)


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
