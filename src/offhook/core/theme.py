"""The theme: colours, texts and images of an app, packed so that equal content gives equal bytes (D16)."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Final

import msgspec

from offhook.core.errors import Fault, Invalid

CONTENT_TYPE: Final = "application/zip"
MANIFEST: Final = "manifest.json"
MAX_BYTES: Final = 10 * 1024 * 1024
MAX_FILES: Final = 200
IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".svg", ".webp")

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?")
_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}){0,4}")
# What a damaged archive makes its reader raise; a RuntimeError tells that a file is encrypted.
_DAMAGES: Final = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OverflowError, ValueError)
# The earliest date that a zip entry can carry: packing must not depend on when it is done.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a theme says: colours by name, texts by name and language, images by name and file."""

    name: str = ""
    colours: dict[str, str] = {}
    texts: dict[str, dict[str, str]] = {}
    images: dict[str, str] = {}


class Theme(msgspec.Struct, frozen=True):
    """A manifest and the files it names."""

    manifest: Manifest = Manifest()
    files: dict[str, bytes] = {}


def pack(theme: Theme) -> bytes:
    """A zip of the theme, the same bytes for the same content; raises Invalid with every fault."""
    Invalid.unless_empty(faults(theme))
    buffer = io.BytesIO()
    # Stored, not deflated: images hardly shrink, and another version of zlib would give other bytes.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(MANIFEST), _manifest(theme))
        for path, content in sorted(theme.files.items()):
            archive.writestr(_entry(path), content)
    return buffer.getvalue()


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _EPOCH)
    entry.create_system = 3
    return entry


def unpack(package: bytes) -> Theme:
    """Read a packed theme; raises Invalid for anything that is not one or is larger than the limits."""
    if len(package) > MAX_BYTES:
        raise Invalid.at("theme", f"is larger than {MAX_BYTES:,} bytes")
    try:
        files = _files(package)
        manifest = msgspec.json.decode(files.pop(MANIFEST), type=Manifest)
    except KeyError:
        raise Invalid.at("theme", f"has no {MANIFEST}") from None
    except _DAMAGES as error:
        raise Invalid.at("theme", f"cannot be read ({error})") from None
    theme = Theme(manifest, files)
    Invalid.unless_empty(faults(theme))
    return theme


def _files(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
            raise Invalid.at("theme", f"has more than {MAX_FILES} files or {MAX_BYTES:,} bytes")
        if len({entry.filename for entry in entries}) < len(entries):
            raise Invalid.at("theme", "has two files of one name")
        return {entry.filename: _content(archive, entry) for entry in entries}


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The file, never more than it says to be: a whole read would first unpack what is really there."""
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Invalid.at("theme", "is packed by another method than store or deflate")
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def faults(theme: Theme) -> list[Fault]:
    """Everything that is wrong with a theme, by place."""
    manifest, files = theme.manifest, theme.files
    found = [
        Fault(f"colours.{name[:80]}", f"{value[:20]!r} is not a colour such as #0B5FFF")
        for name, value in manifest.colours.items()
        if not _COLOUR.fullmatch(value)
    ]
    found += [
        Fault(f"images.{name[:80]}", f"there is no file {path[:80]!r}")
        for name, path in manifest.images.items()
        if path not in files
    ]
    found += [
        Fault(path[:80], f"is not a plain path to an image ({', '.join(IMAGE_SUFFIXES)})")
        for path in files
        if not _PATH.fullmatch(path) or not path.lower().endswith(IMAGE_SUFFIXES)
    ]
    if len(files) >= MAX_FILES or size_bytes(theme) > MAX_BYTES:
        found.append(Fault("theme", f"has more than {MAX_FILES - 1} images, or {MAX_BYTES:,} bytes when it is packed"))
    return found


def size_bytes(theme: Theme) -> int:
    """How large the package is: each file has its name in it twice, in front of it and in the directory at the end."""
    sizes = {MANIFEST: len(_manifest(theme)), **{path: len(content) for path, content in theme.files.items()}}
    return 22 + sum(30 + 46 + 2 * len(path) + size for path, size in sizes.items())


def _manifest(theme: Theme) -> bytes:
    return msgspec.json.encode(theme.manifest, order="sorted")
