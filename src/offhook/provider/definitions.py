"""The web service definitions of a Cloud ID, as an operator pastes them into a portal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlsplit

from offhook.core import webservice, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.provider.compose import INSTALL_KEY
from offhook.provider.reports import PUSH_FIELDS
from offhook.provider.subscriber import SIP_PASSWORD, SIP_USERNAME
from offhook.provider.tenant import Credential, Names, Tenant

ACCOUNT_PATH: Final = "/prov"
GLOBAL_PATH: Final = "/prov/global"
# For a Cloud ID whose requests do not call it `cloud_id`, so that only the address can tell it.
NAMED_ACCOUNT_PATH: Final = "/prov/{cloud_id}/account"
NAMED_GLOBAL_PATH: Final = "/prov/{cloud_id}/global"
# For a screen of the app's own, or a page, that asks for a code before the sign-in.
SIGN_UP_PATH: Final = "/prov/sign-up"
NAMED_SIGN_UP_PATH: Final = "/prov/{cloud_id}/sign-up"
AGAIN_PATH: Final = "/prov/again"
AGAIN_GLOBAL_PATH: Final = "/prov/global/again"
REMOVED_PATH: Final = "/prov/removed"
PUSH_TOKEN_PATH: Final = "/prov/push-token"
# The vendor's documents name no prefix for the global part once an account is there (D24).
GLOBAL_AGAIN: Final = webservice.GLOBAL_REPROVISIONING
INTERVAL_S: Final = 3600
# In the place of an address that nobody has told us.
UNKNOWN_URL: Final = "https://PUBLIC-URL"
_ADDRESS: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")


def definitions(tenant: Tenant, public_url: str) -> dict[str, str]:
    """The keys of both services of the sign-in.

    They POST a form, because what stands in a URL ends up in the logs of whatever lies between.
    """
    base = public_url.rstrip("/")
    named = tenant.names.cloud_id != Names().cloud_id
    account, common = (NAMED_ACCOUNT_PATH, NAMED_GLOBAL_PATH) if named else (ACCOUNT_PATH, GLOBAL_PATH)
    form = _form(tenant.names)
    return {
        **_service(webservice.INITIAL, base + account.format(cloud_id=tenant.cloud_id), form),
        **_service(webservice.GLOBAL, base + common.format(cloud_id=tenant.cloud_id), form),
    }


def account_keys(tenant: Tenant, public_url: str) -> dict[str, str]:
    """The keys of the services that an app calls once it has an account; they stand in the account itself."""
    base = public_url.rstrip("/")
    form = _again_form(tenant)
    asking = "&".join([form, *(f"{name}={placeholder}" for name, placeholder in _device(Names()))])
    return {
        **_service(webservice.REPROVISIONING, base + AGAIN_PATH, asking),
        f"{webservice.REPROVISIONING}Interval": str(INTERVAL_S),
        f"{webservice.REPROVISIONING}LogoutStatusCode": str(tenant.first_logout_status),
        **_service(GLOBAL_AGAIN, base + AGAIN_GLOBAL_PATH, asking),
        f"{GLOBAL_AGAIN}Interval": str(INTERVAL_S),
        **_service(webservice.REMOVAL_REPORTER, base + REMOVED_PATH, f"{form}&{_same('selector', 'installid')}"),
        **_service(webservice.PUSH_TOKEN_REPORTER, base + PUSH_TOKEN_PATH, f"{form}&{_same(*PUSH_FIELDS)}"),
    }


@lru_cache(maxsize=256)
def all_keys(tenant: Tenant, public_url: str) -> Mapping[str, str]:
    """Both together, as they are looked at with every base of an app."""
    return MappingProxyType(definitions(tenant, public_url) | account_keys(tenant, public_url))


def _again_form(tenant: Tenant) -> str:
    """What an install authenticates with (D20): its token, or its SIP credentials."""
    username, password = "cloud_username", "cloud_password"
    if tenant.credential is Credential.SIP:
        username, password = SIP_USERNAME, SIP_PASSWORD
    fields = (
        ("cloud_id", tenant.cloud_id),
        ("cloud_username", f"%account[{username}]%"),
        ("cloud_password", f"%account[{password}]%"),
        ("install_id", f"%account[{INSTALL_KEY}]%"),
    )
    return "&".join(f"{name}={value}" for name, value in fields)


def _device(names: Names) -> tuple[tuple[str, str], ...]:
    """What rules may ask of a phone. The placeholders are those of FIELD notes: an app may not know one (D19)."""
    return (
        (names.platform, "%platform%"),
        (names.app_version, "%version%"),
        (names.os_version, "%platformversion%"),
        (names.locale, "%locale%"),
    )


def _same(*names: str) -> str:
    return "&".join(f"{name}=%{name}%" for name in names)


def _service(prefix: str, url: str, form: str) -> dict[str, str]:
    return {
        f"{prefix}Url": url,
        f"{prefix}Method": "POST",
        f"{prefix}PostData": form,
        f"{prefix}ContentType": webservice.FORM,
    }


def _form(names: Names) -> str:
    fields = (
        (names.cloud_id, "%fullcode%"),
        (names.username, "%username%"),
        (names.password, "%password%"),
        (names.device, "%installid%"),
        *_device(names),
    )
    return "&".join(f"{quote(name, safe='')}={placeholder}" for name, placeholder in fields)


def check_public_url(public_url: str) -> tuple[Diagnostic, ...]:
    """What an app will not do with this address; raises Invalid when it can be no address of a server."""
    if _ADDRESS.fullmatch(public_url) is None:
        raise Invalid.at("--public-url", "is not of the form https://prov.example.net, perhaps with a path")
    scheme, host = urlsplit(public_url).scheme, urlsplit(public_url).hostname or ""
    if scheme == "http" and not webservice.is_loopback(host):
        return (Diagnostic("--public-url", "is not https: an app sends asterisks there in place of the password"),)
    return ()


def as_lines(keys: dict[str, str]) -> Iterator[str]:
    """`Key = value`, one a line."""
    width = max(map(len, keys))
    return (f"{key:<{width}} = {value}" for key, value in keys.items())


def as_xml(keys: dict[str, str]) -> Iterator[str]:
    """One element a line."""
    return (f"<{key}>{xml.text(value)}</{key}>" for key, value in keys.items())
