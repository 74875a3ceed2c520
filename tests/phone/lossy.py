"""A disk in memory that loses power: what was not synced may be there, or not, or half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random


class PowerLoss(BaseException):
    """The power is gone: no code of ours may notice."""


class LossyDisk:
    """Every operation is a moment at which the power may fail; `moments_left` says when (None: never).

    Contents that were not synced come back as any part of themselves, or as zeros; names that were not synced come back
    changed or unchanged, each for itself.
    """

    def __init__(self) -> None:
        self.moments_left: int | None = None
        self.live: dict[Path, int] = {}
        self.safe: dict[Path, int] = {}
        self.contents: dict[int, bytes] = {}
        self.synced: dict[int, bytes] = {}
        self.folders: set[Path] = set()
        self.made = 0
        self.unsynced: list[tuple[Path, Callable[[dict[Path, int]], None]]] = []

    def read(self, path: Path, limit_bytes: int) -> bytes | None:
        number = self.live.get(path)
        return None if number is None else self.contents[number][:limit_bytes]

    def write(self, path: Path, content: bytes) -> None:
        self._moment()
        number = self.live.get(path)
        if number is None:
            number, self.made = self.made, self.made + 1
            self._name(path.parent, lambda names: names.update({path: number}))
        self.contents[number] = content[: len(content) // 2]
        self._moment()
        self.contents[number] = content

    def copy(self, path: Path, name: Path) -> None:
        self.write(name, self.contents[self.live[path]])

    def sync(self, path: Path) -> None:
        self._moment()
        if path in self.folders:
            waiting, self.unsynced = self.unsynced, []
            for folder, change in waiting:
                if folder == path:
                    change(self.safe)
                else:
                    self.unsynced.append((folder, change))
        else:
            self.synced[self.live[path]] = self.contents[self.live[path]]

    def rename(self, path: Path, name: Path) -> None:
        self._moment()

        def change(names: dict[Path, int]) -> None:
            if path in names:
                names[name] = names.pop(path)
                return
            for old in [old for old in names if path in old.parents]:
                names[name / old.relative_to(path)] = names.pop(old)

        self._name(name.parent, change)

    def remove(self, path: Path) -> None:
        self._moment()

        def change(names: dict[Path, int]) -> None:
            names.pop(path, None)

        self._name(path.parent, change)

    def names(self, folder: Path) -> list[str]:
        depth = len(folder.parts)
        return sorted({path.parts[depth] for path in self.live if path.parts[:depth] == folder.parts != path.parts})

    def make_folder(self, folder: Path) -> None:
        self._moment()
        if folder not in self.folders:
            self.folders |= {folder, *folder.parents}

    def after_power_loss(self, random: Random) -> LossyDisk:
        """What the next start finds."""
        found = LossyDisk()
        found.folders, found.made = set(self.folders), self.made
        names = dict(self.safe)
        for _, change in self.unsynced:
            if random.random() < 0.5:
                change(names)
        for path, number in names.items():
            found.live[path] = found.safe[path] = number
            found.contents[number] = found.synced[number] = self._remains(number, random)
        return found

    def _remains(self, number: int, random: Random) -> bytes:
        content = self.contents[number]
        if self.synced.get(number) == content:
            return content
        kept = random.randint(0, len(content))
        return random.choice([content[:kept], content[:kept] + bytes(len(content) - kept)])

    def _name(self, folder: Path, change: Callable[[dict[Path, int]], None]) -> None:
        change(self.live)
        self.unsynced.append((folder, change))

    def _moment(self) -> None:
        if self.moments_left is not None:
            self.moments_left -= 1
            if self.moments_left < 0:
                raise PowerLoss
