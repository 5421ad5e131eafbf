"""Which bullets may say the same as a given one: an index to which bullets are added and from which they go.

Candidates only, cheap and too many; `conflict.compare` decides. They are the bullets with the same plain text
and those whose vectors are nearest; without an embedder, those with the same words. Vectors are rows of one
matrix, compared in blocks, so that all pairs of 10,000 bullets are one second's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ace.playbook.model import Bullet
from ace.refine.conflict import plain
from ace.refine.lesson_reading import read
from ace.refine.words import faint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Embedder, Vectors

NEAR = 0.7  # cosine; paraphrases of one sentence are rarely further apart
_MOST = 8  # candidates by vector
_BLOCK = 512  # rows
_FIRST = 256  # rows to begin with; then twice as many each time


class Index:
    """Live bullets in the order they were added. Not for several threads."""

    def __init__(self, bullets: Iterable[Bullet] = (), embed: Embedder | None = None) -> None:
        import numpy as np

        self._embed = embed
        self._ids: list[str] = []  # by row
        self._rows: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._alike: dict[object, dict[str, None]] = {}  # key -> ids
        self._alive: NDArray[np.bool_] = np.zeros(_FIRST, dtype=bool)
        self._vectors: Vectors | None = None
        self.add(bullets)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, bullet_id: str) -> bool:
        return bullet_id in self._rows

    def text(self, bullet_id: str) -> str:
        """What the bullet said when it was added."""
        return self._texts[bullet_id]

    def add(self, bullets: Iterable[Bullet]) -> None:
        """Behind those that are there. One that is there already is put in again."""
        new = tuple({bullet.id: bullet for bullet in bullets}.values())
        self.remove(bullet.id for bullet in new)
        start = len(self._ids)
        self._grow(start + len(new))
        for bullet in new:
            self._rows[bullet.id] = len(self._ids)
            self._ids.append(bullet.id)
            self._texts[bullet.id] = bullet.content
            for key in self._keys(bullet.content):
                self._alike.setdefault(key, {})[bullet.id] = None
        self._alive[start : start + len(new)] = True
        self._embedded([bullet.content for bullet in new], start)

    def remove(self, ids: Iterable[str]) -> None:
        """Unknown ids are passed over."""
        for name in ids:
            row = self._rows.pop(name, None)
            if row is not None:
                self._alive[row] = False
                for key in self._keys(self._texts.pop(name)):
                    self._alike[key].pop(name)

    def query(self, content: str, most: int = _MOST) -> tuple[str, ...]:
        """Ids of bullets that may say the same as a text, the likeliest first."""
        alike = [name for key in self._keys(content) for name in self._alike.get(key, ())]
        end = len(self._ids)
        if self._vectors is not None and self._embed is not None:
            likeness = self._vectors[:end] @ self._embed([content])[0]
            alike += self._nearest(likeness, most)
        return tuple(dict.fromkeys(alike))

    def before(self, ids: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each of `ids`, in order of rows, with its candidates among the rows before it.

        What is removed while this goes on is no candidate any more.
        """
        ordered = sorted((name for name in ids if name in self._rows), key=self._rows.__getitem__)
        for start in range(0, len(ordered), _BLOCK):
            block = ordered[start : start + _BLOCK]
            rows = [self._rows[name] for name in block]
            likeness = None if self._vectors is None else self._vectors[rows] @ self._vectors[: rows[-1]].T
            for place, (name, row) in enumerate(zip(block, rows, strict=True)):
                if name not in self._rows:
                    continue
                alike = [o for key in self._keys(self._texts[name]) for o in self._alike[key]]
                found = [other for other in alike if self._rows[other] < row]
                if likeness is not None:
                    found += self._nearest(likeness[place, :row], _MOST)
                yield name, tuple(dict.fromkeys(found))

    def _keys(self, content: str) -> tuple[object, ...]:
        if self._embed is not None:
            return (plain(content),)
        return plain(content), frozenset(word for word in read(content).words if not faint(word))

    def _nearest(self, likeness: NDArray[np.float32], most: int) -> list[str]:
        import numpy as np

        near = np.flatnonzero(likeness >= NEAR)
        near = near[self._alive[near]]
        if len(near) > most:
            near = near[np.argpartition(-likeness[near], most)[:most]]
        return [self._ids[row] for row in sorted(near.tolist(), key=lambda row: (-likeness[row], row))]

    def _grow(self, size: int) -> None:
        import numpy as np

        if size > len(self._alive):
            more = np.zeros(max(size, 2 * len(self._alive)), dtype=bool)
            more[: len(self._alive)] = self._alive
            self._alive = more

    def _embedded(self, texts: list[str], start: int) -> None:
        import numpy as np

        if self._embed is None or not texts:
            return
        made = self._embed(texts)
        if self._vectors is None or start + len(made) > len(self._vectors):
            grown = np.zeros((len(self._alive), made.shape[1]), dtype=np.float32)
            if self._vectors is not None:
                grown[: len(self._vectors)] = self._vectors
            self._vectors = grown
        self._vectors[start : start + len(made)] = made
