"""Index of bullets that may say the same as another. Bullets are added to it and go from it.

Candidates only, cheap and too many; `conflict.compare` decides. They are the bullets with the same plain text
and those whose vectors are nearest; without an embedder, those with the same words. Vectors are rows of one
matrix, compared in blocks, so that all pairs of 10,000 bullets are one second's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ace.playbook.model import Bullet
from ace.refine.conflict import plain_text
from ace.refine.lesson_reading import read_lesson
from ace.refine.lexicon import load_lexicon

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Embedder, Vectors

    Likenesses = NDArray[np.float32]

NEAR = 0.7  # cosine; paraphrases of one sentence are rarely further apart
_MOST = 8  # candidates by vector
_BLOCK = 512  # rows
_FIRST = 256  # rows to begin with; then twice as many each time


class Index:
    """Hold live bullets in the order they were added, each in a row of its own. Not for several threads.

    Rows only grow: that of a removed bullet stays empty. `embed` turns texts into vectors; without it bullets
    are candidates if they have the same words.
    """

    def __init__(self, bullets: Iterable[Bullet] = (), embed: Embedder | None = None) -> None:
        """Begin with these bullets. Raises what the embedder raises, such as ModelUnavailable."""
        import numpy as np

        self._embed = embed
        self._ids: list[str] = []  # by row
        self._rows: dict[str, int] = {}
        self._keys: dict[str, tuple[object, ...]] = {}  # bullets that say the same share one
        self._ids_by_key: dict[object, dict[str, None]] = {}  # ordered
        self._alive: NDArray[np.bool_] = np.zeros(_FIRST, dtype=bool)
        self._vectors: Vectors | None = None
        self.add(bullets)

    def __len__(self) -> int:
        """Count the bullets that are there."""
        return len(self._rows)

    def __contains__(self, bullet_id: str) -> bool:
        """Return whether a bullet of this id is there."""
        return bullet_id in self._rows

    def add(self, bullets: Iterable[Bullet]) -> None:
        """Add bullets behind those that are there. One that is there already moves to the end.

        All their texts are embedded in one go. Raises what the embedder raises.
        """
        import numpy as np

        new = {bullet.id: bullet.content for bullet in bullets}
        self.remove(new)
        start = len(self._ids)
        for name, content in new.items():
            self._rows[name] = len(self._ids)
            self._ids.append(name)
            keys: tuple[object, ...] = (plain_text(content),)
            if self._embed is None:  # else vectors find the rest
                keys += (read_lesson(content).words - load_lexicon().faint,)
            self._keys[name] = keys
            for key in keys:
                self._ids_by_key.setdefault(key, {})[name] = None

        # Both tables double when they are full.
        end = len(self._ids)
        if end > len(self._alive):
            alive = np.zeros(max(end, 2 * len(self._alive)), dtype=bool)
            alive[: len(self._alive)] = self._alive
            self._alive = alive
        self._alive[start:end] = True
        if self._embed is None or not new:
            return
        vectors = self._embed(list(new.values()))
        if self._vectors is None or end > len(self._vectors):
            table = np.zeros((len(self._alive), vectors.shape[1]), dtype=np.float32)
            if self._vectors is not None:
                table[: len(self._vectors)] = self._vectors
            self._vectors = table
        self._vectors[start:end] = vectors

    def remove(self, ids: Iterable[str]) -> None:
        """Remove bullets. Unknown ids are passed over."""
        for name in ids:
            row = self._rows.pop(name, None)
            if row is not None:
                self._alive[row] = False
                for key in self._keys.pop(name):
                    del self._ids_by_key[key][name]

    def before(self, ids: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each of `ids`, in order of rows, with its candidates among the rows before it.

        Candidates with the same text come first, then those that are near, the nearest first. A bullet that
        is removed while this goes on is no candidate any more, and is not yielded. Ids that are not there are
        passed over.
        """
        ordered = sorted(set(self._rows).intersection(ids), key=self._rows.__getitem__)
        for start in range(0, len(ordered), _BLOCK):
            block = ordered[start : start + _BLOCK]
            rows = [self._rows[name] for name in block]
            likeness = None
            if self._vectors is not None:
                likeness = self._vectors[rows] @ self._vectors[: rows[-1]].T
            for place, (name, row) in enumerate(zip(block, rows, strict=True)):
                if name not in self._rows:
                    continue
                candidates: dict[str, None] = {}
                for key in self._keys[name]:
                    earlier = (alike for alike in self._ids_by_key[key] if self._rows[alike] < row)
                    candidates.update(dict.fromkeys(earlier))
                if likeness is not None:
                    candidates.update(dict.fromkeys(self._nearest(likeness[place, :row])))
                yield name, tuple(candidates)

    def _nearest(self, likeness: Likenesses) -> list[str]:
        """Return the ids of the rows that are near enough, the nearest first and no more than `_MOST`.

        `likeness` holds the cosine of each row; of equal ones the older row comes first.
        """
        import numpy as np

        near = np.flatnonzero(likeness >= NEAR)
        near = near[self._alive[near]]
        if len(near) > _MOST:
            near = near[np.argpartition(-likeness[near], _MOST)[:_MOST]]
        nearest_first = sorted(near.tolist(), key=lambda row: (-likeness[row], row))
        return [self._ids[row] for row in nearest_first]
