"""An app as a folder that a person can keep in git: `app.toml`, and `theme/` with its `theme.toml` and images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from offhook.core import theme as themes
from offhook.core.errors import Conflict, Fault, Invalid
from offhook.core.theme import Manifest, Theme
from offhook.portal import reading, toml, writing
from offhook.portal.app import App
from offhook.portal.table import MAX_CHARACTERS, Table, parse

APP: Final = reading.NAME
THEME: Final = "theme"
MANIFEST: Final = "theme.toml"


class Content(msgspec.Struct, frozen=True):
    """What a folder holds."""

    app: App
    theme: Theme

    def __repr__(self) -> str:
        return f"Content({self.app.cloud_id})"


def read(folder: Path) -> Content:
    """Read an app's folder; raises Invalid with every fault, each with its file and place."""
    faults: list[Fault] = []
    app, theme = App(""), Theme()
    try:
        app = reading.loads(_text(folder / APP, APP))
    except Invalid as error:
        faults += [_in_file(APP, fault) for fault in error.faults]
    try:
        theme = read_theme(folder / THEME)
    except Invalid as error:
        faults += [_in_file(THEME, fault) for fault in error.faults]
    Invalid.unless_empty(faults)
    return Content(app, theme)


def read_theme(folder: Path) -> Theme:
    """Read a theme folder, which may be missing; raises Invalid with every fault."""
    if not folder.is_dir():
        return Theme()
    files = _images(folder)
    manifest = folder / MANIFEST
    table = Table(parse(_text(manifest, MANIFEST), MANIFEST) if manifest.exists() else {})
    theme = Theme(_manifest(table), files)
    Invalid.unless_empty([*table.faults, *themes.faults(theme)])
    return theme


def write(folder: Path, app: App, theme: Theme, *, replace: bool = False) -> list[Path]:
    """Write an app into a folder, which is made; returns the files. Raises Conflict where an app is already.

    With `replace`, what is there is written over, and images that this version does not have are removed.
    """
    texts = {APP: writing.dumps(app), f"{THEME}/{MANIFEST}": toml.dumps(_to_document(theme.manifest))}
    contents = {path: text.encode() for path, text in texts.items()}
    contents |= {f"{THEME}/{path}": content for path, content in theme.files.items()}
    there = [path for path in (folder / APP, folder / THEME) if path.exists()]
    if there and not replace:
        raise Conflict(f"{there[0]} exists. Choose another folder, or replace what is there with --force.")
    try:
        for path in _images(folder / THEME) if (folder / THEME).is_dir() else ():
            if path not in theme.files:
                (folder / THEME / path).unlink()
        for path, content in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    except OSError as error:
        raise Invalid.at(str(error.filename or folder), f"cannot be written: {error.strerror}") from None
    return [folder / path for path in contents]


def _manifest(table: Table) -> Manifest:
    name, colours = table.text("name"), table.table("colours")
    texts, images = table.table("texts"), table.table("images")
    by_name = {text: texts.table(text) for text in texts.rest()}
    manifest = Manifest(
        name=name,
        colours=_texts(colours),
        texts={text: languages for text, inner in by_name.items() if (languages := _texts(inner))},
        images=_texts(images),
    )
    table.finish()
    return manifest


def _texts(table: Table) -> dict[str, str]:
    return {name: table.text(name) for name in table.rest()}


def _to_document(manifest: Manifest) -> dict[str, Any]:
    sections = {"colours": manifest.colours, "texts": manifest.texts, "images": manifest.images}
    return {"name": manifest.name, **{name: content for name, content in sections.items() if content}}


def _images(folder: Path) -> dict[str, bytes]:
    """The files of a theme beside its manifest; those whose name begins with a dot are none of its files."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    try:
        if len(paths) >= themes.MAX_FILES or sum(path.stat().st_size for path in paths) > themes.MAX_BYTES:
            raise Invalid.at("", f"has more than {themes.MAX_FILES - 1} images or {themes.MAX_BYTES:,} bytes")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise Invalid.at(os.path.relpath(error.filename, folder), f"cannot be read: {error.strerror}") from None


def _text(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > 4 * MAX_CHARACTERS:
            raise Invalid.at(name, "is far too large")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise Invalid.at(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Invalid.at(name, f"is not UTF-8 text: byte {error.start + 1:,} is wrong") from None


def _in_file(name: str, fault: Fault) -> Fault:
    where = name if not fault.place or fault.place == name else f"{name}: {fault.place}"
    return Fault(where, fault.text)
