"""An app as a folder: what was exported applies as no change, and what is wrong in any file is named with its file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pytest
from hypothesis import given

from offhook.core.errors import Conflict, Invalid
from offhook.core.theme import MAX_FILES, Manifest, Theme, pack, unpack
from offhook.portal import folder
from offhook.portal.app import App
from offhook.portal.plan import plan
from tests.world_apps import LOGO, NAMES, TEXTS, a_png, a_theme, an_app, random_apps

COLOURS = st.from_regex(r"#[0-9A-F]{6}", fullmatch=True)
LANGUAGES = st.dictionaries(st.sampled_from(["en", "cs", "pt-BR"]), TEXTS, min_size=1, max_size=2)
IMAGES = st.binary(max_size=50).map(lambda text: a_png(text=text))
PATHS = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True).map(lambda path: f"{path}.png")


@st.composite
def themes(draw: st.DrawFn) -> Theme:
    """Any theme."""
    files = draw(st.dictionaries(PATHS, IMAGES, max_size=3))
    paths = st.sampled_from(sorted(files)) if files else st.nothing()
    manifest = Manifest(
        name=draw(TEXTS),
        colours=draw(st.dictionaries(NAMES, COLOURS, max_size=3)),
        texts=draw(st.dictionaries(NAMES | TEXTS, LANGUAGES, max_size=3)),
        images=draw(st.dictionaries(NAMES, paths, max_size=3)),
    )
    return Theme(manifest, files)


@given(random_apps(), themes())
def test_what_was_exported_applies_as_no_change(app: App, theme: Theme) -> None:
    """Packing, unpacking, writing to a folder and reading it loses and adds nothing, and doing it again neither."""
    packed = unpack(pack(theme))
    with TemporaryDirectory() as place:
        folder.write(Path(place), app, packed)
        first = folder.read(Path(place))
        texts = [path.read_bytes() for path in sorted(Path(place).rglob("*")) if path.is_file()]

        folder.write(Path(place), first.app, first.theme, replace=True)

        again = [path.read_bytes() for path in sorted(Path(place).rglob("*")) if path.is_file()]
        assert first == folder.read(Path(place))
    assert (first.app, first.theme) == (app, theme)
    assert plan(app, first.app, packed, first.theme).lines == ()
    assert again == texts
    assert pack(first.theme) == pack(theme)


def test_a_folder_that_holds_an_app_is_not_written_over(tmp_path: Path) -> None:
    """Somebody's files stay unless they are to be replaced; then images that are no longer there go."""
    folder.write(tmp_path, an_app(), a_theme())

    with pytest.raises(Conflict, match="--force"):
        folder.write(tmp_path, an_app("OTHER"), Theme())
    written = folder.write(tmp_path, an_app("OTHER"), Theme(), replace=True)

    assert folder.read(tmp_path) == folder.Content(an_app("OTHER"), Theme())
    assert written == [tmp_path / "app.toml", tmp_path / "theme" / "theme.toml"]
    assert not (tmp_path / "theme" / "logo.png").exists()


def test_a_theme_may_be_missing(tmp_path: Path) -> None:
    """An app without a theme folder, or with one that only has images, is whole."""
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"', encoding="utf-8-sig")

    without = folder.read(tmp_path)
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "logo.png").write_bytes(LOGO)
    (tmp_path / "theme" / ".DS_Store").write_bytes(b"noise")

    assert without == folder.Content(App("EXAMPLE"), Theme())
    assert folder.read(tmp_path).theme == Theme(files={"logo.png": LOGO})


def test_all_faults_of_a_folder_are_named(tmp_path: Path) -> None:
    """Faults of both files come together, each with its file and place."""
    (tmp_path / "theme").mkdir()
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"\nnme = "x"')
    (tmp_path / "theme" / "notes.txt").write_text("to do")
    (tmp_path / "theme" / "theme.toml").write_text(
        'nme = "x"\n[colours]\naccent = "blue"\n[images]\nlogo = "none.png"\n[texts.hello]\nen = 1'
    )

    with pytest.raises(Invalid) as found:
        folder.read(tmp_path)

    assert [str(fault) for fault in found.value.faults] == [
        "app.toml: nme: is not known here; did you mean name?",
        "theme: texts.hello.en: is a whole number, where a text belongs",
        "theme: nme: is not known here; did you mean name?",
        "theme: colours.accent: 'blue' is not a colour such as #0B5FFF",
        "theme: images.logo: there is no file 'none.png'",
        "theme: notes.txt: is not a plain path to an image (.png, .jpg, .jpeg, .svg, .webp)",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "app.toml: cannot be read: No such file or directory"),
        (b"\xff\xfe", "app.toml: is not UTF-8 text: byte 1 is wrong"),
        (b"x" * (5 * 1024 * 1024), "app.toml: is far too large"),
        (b"x", "app.toml: is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, fault: str) -> None:
    """A missing file, another encoding, another kind of file and a huge one are told apart."""
    if content is not None:
        (tmp_path / "app.toml").write_bytes(content)

    with pytest.raises(Invalid, match=fault):
        folder.read(tmp_path)


def test_a_theme_has_limits(tmp_path: Path) -> None:
    """A folder with too many files is refused before they are read."""
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"')
    (tmp_path / "theme").mkdir()
    for number in range(MAX_FILES):
        (tmp_path / "theme" / f"{number}.png").touch()

    with pytest.raises(Invalid, match="theme: has more than 199 images"):
        folder.read(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Who exports to where nothing can be written learns which file it was."""
    (tmp_path / "file").touch()

    with pytest.raises(Invalid, match="cannot be written"):
        folder.write(tmp_path / "file", an_app(), Theme())


def test_content_keeps_its_secrets_out_of_logs() -> None:
    """A representation names the app alone."""

    assert repr(folder.Content(an_app(password="canary"), Theme())) == "Content(EXAMPLE)"


SECRET = b"-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize("place", ["app.toml", "theme", "theme/theme.toml", "theme/logo.png", "theme/inner"])
@pytest.mark.parametrize("leads_nowhere", [True, False])
def test_a_link_is_never_followed(tmp_path: Path, place: str, leads_nowhere: bool) -> None:
    """A folder from elsewhere cannot have a private file of this machine published, whatever a link in it names."""
    outside = tmp_path / "outside"
    app = folder.write(tmp_path / "app", an_app(), a_theme())[0].parent
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_bytes(SECRET)
    link = app / place
    target = outside / ("folder" if place in {"theme", "theme/inner"} else "file")
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "nowhere" if leads_nowhere else target)

    with pytest.raises(Invalid, match="is a link, which is not followed") as caught:
        folder.read(app)

    assert Path(place).name in str(caught.value)
    if place != "theme/inner":
        with pytest.raises(Invalid):
            folder.write(app, an_app("OTHER"), a_theme(), replace=True)
    assert (outside / "file").read_bytes() == SECRET


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes into does not keep the command waiting."""
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"')
    (tmp_path / "theme").mkdir()
    os.mkfifo(tmp_path / "theme" / "logo.png")
    os.mkfifo(tmp_path / "theme" / "theme.toml")

    with pytest.raises(Invalid, match=r"theme: logo\.png: is no ordinary file"):
        folder.read(tmp_path)
    (tmp_path / "theme" / "logo.png").unlink()
    with pytest.raises(Invalid, match=r"theme\.toml: is no ordinary file"):
        folder.read(tmp_path)
    (tmp_path / "app.toml").unlink()
    os.mkfifo(tmp_path / "app.toml")
    with pytest.raises(Invalid, match=r"app\.toml: is no ordinary file"):
        folder.read(tmp_path)


def test_a_folder_without_an_end_has_one(tmp_path: Path) -> None:
    """Folders inside folders are looked into only so deep."""
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"')
    (tmp_path / "theme" / "/".join("abcdefgh")).mkdir(parents=True)

    with pytest.raises(Invalid, match="lies more than 6 folders deep"):
        folder.read(tmp_path)


def test_a_folder_that_is_none_is_named_once(tmp_path: Path) -> None:
    """A mistyped folder is said to be missing, and a file to be no folder."""
    (tmp_path / "file").touch()

    for name, said in (("nowhere", "does not exist"), ("file", "is no folder")):
        with pytest.raises(Invalid) as caught:
            folder.read(tmp_path / name)

        assert [str(fault).partition(";")[0] for fault in caught.value.faults] == [f"{tmp_path / name}: {said}"]


def test_a_file_named_like_a_picture_is_one(tmp_path: Path) -> None:
    """Whatever is published as a picture is one, so that no private file goes out by mistake."""
    (tmp_path / "app.toml").write_text('cloud_id = "EXAMPLE"')
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "logo.png").write_bytes(SECRET)

    with pytest.raises(Invalid, match=r"theme: logo\.png: is not a PNG picture, as its name says: it does not begin"):
        folder.read(tmp_path)
