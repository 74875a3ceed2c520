"""An app as a folder that a person can keep in git: `app.toml`, and `theme/` with its `theme.toml` and images.

Links in it are refused: what stands in it goes to every phone, and a link may lead to a private file of this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from offhook.core import theme as themes
from offhook.core.errors import Conflict, Fault, Invalid
from offhook.core.theme import Manifest, Theme
from offhook.portal import files, pictures, reading, toml, writing
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
    if not folder.is_dir():
        raise Invalid.at(
            str(folder), "is no folder" if folder.exists() else "does not exist; `offhook app export` makes one"
        )
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
    if not files.is_folder(folder, ""):
        return Theme()
    images = _read_images(folder)
    manifest = folder / MANIFEST
    table = Table(parse(_text(manifest, MANIFEST), MANIFEST) if files.exists(manifest) else {})
    theme = Theme(_manifest(table), images)
    unlike = [fault for path, content in images.items() for fault in pictures.faults(path, content)]
    Invalid.unless_empty([*table.faults, *themes.faults(theme), *unlike])
    return theme


def write(folder: Path, app: App, theme: Theme, *, replace: bool = False) -> list[Path]:
    """Write an app into a folder, which is made; returns the files. Raises Conflict where an app is already.

    With `replace`, what is there is written over, and images that this version does not have are removed.
    """
    texts = {APP: writing.dumps(app), f"{THEME}/{MANIFEST}": toml.dumps(_to_document(theme.manifest))}
    contents = {path: text.encode() for path, text in texts.items()}
    contents |= {f"{THEME}/{path}": content for path, content in theme.files.items()}
    there = [path for path in (folder / APP, folder / THEME) if files.exists(path)]
    if there and not replace:
        raise Conflict(f"{there[0]} exists. Choose another folder, or replace what is there with --force.")
    former = _images(folder / THEME) if files.is_folder(folder / THEME, THEME) else []
    try:
        for path in former:
            if path not in theme.files:
                (folder / THEME / path).unlink()
        for path, content in contents.items():
            files.put(folder / path, content)
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


def _images(folder: Path) -> list[str]:
    """The files of a theme beside its manifest; those whose name begins with a dot are none of its files."""
    return [path.relative_to(folder).as_posix() for path in files.below(folder) if path != folder / MANIFEST]


def _read_images(folder: Path) -> dict[str, bytes]:
    paths = _images(folder)
    too_much = Invalid.at("", f"has more than {themes.MAX_FILES - 1} images or {themes.MAX_BYTES:,} bytes")
    if len(paths) >= themes.MAX_FILES:
        raise too_much
    images: dict[str, bytes] = {}
    left_bytes = themes.MAX_BYTES
    for path in paths:
        images[path] = files.content(folder / path, path, themes.MAX_BYTES)
        left_bytes -= len(images[path])
        if left_bytes < 0:
            raise too_much
    return images


def _text(path: Path, name: str) -> str:
    try:
        return files.content(path, name, 4 * MAX_CHARACTERS).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid.at(name, f"is not UTF-8 text: byte {error.start + 1:,} is wrong") from None


def _in_file(name: str, fault: Fault) -> Fault:
    where = name if not fault.place or fault.place == name else f"{name}: {fault.place}"
    return Fault(where, fault.text)
