"""Whether a SIP server is the one that its name says, asked before a password goes anywhere near it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from offhook.sipagent.running import Broken

CONNECT_S = 10.0


async def check(host: str, port: int, ca: str) -> None:
    """Connect with TLS, look at the certificate and its names, and leave. Raises Broken, which says what is wrong."""
    if not ca:
        raise Broken("there is no file of authorities with which a certificate could be looked at; name one: --sip-ca")
    place = f"{host}:{port}"
    try:
        trusted = ssl.create_default_context(cafile=ca)
    except OSError:
        raise Broken(f"{ca} cannot be used: it holds no certificates in PEM") from None
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=trusted, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Broken(f"{place} is not secure: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Broken(f"{place} is not secure: {error.reason or 'no TLS'}") from None
    except TimeoutError:
        raise Broken(f"{place} does not answer") from None
    except OSError as error:
        raise Broken(f"{place} cannot be reached: {error.strerror or 'no such name'}") from None
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
