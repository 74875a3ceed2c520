"""Which certificates are trusted: those of the system, or those of a file of the operator's."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from offhook.core.errors import Unavailable


def context(ca_file: str) -> ssl.SSLContext:
    """What a connection is verified with; a file that has changed is read anew. Raises Unavailable."""
    try:
        return _verifying(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0)
    except ssl.SSLError:
        raise Unavailable("The ca_file of the upstream holds no certificates in PEM format.", 60) from None
    except OSError as error:
        raise Unavailable(f"The ca_file of the upstream cannot be read: {error.strerror}.", 60) from None


@lru_cache(maxsize=16)
def _verifying(ca_file: str, _changed_ns: int) -> ssl.SSLContext:
    """It takes milliseconds to read all certificates: once for each version of the file."""
    return ssl.create_default_context(cafile=ca_file or None)
