"""Measure how alike texts are by the runs of characters that they share, in any language and script.

Runs of three to five characters are counted, hashed into a fixed number of cells (feature hashing,
Weinberger et al., arXiv 0902.2206) and weighed by how few texts have them. All digits count as one: of a
number its form matters. No model is needed, and the same texts give the same figures everywhere.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CELLS = 2048
_LONGEST = 2_000  # characters of a text that are read


@dataclass(slots=True)
class Likeness:
    """Know texts by name, and compare one with others."""

    sizes: Sequence[int] = (3, 4, 5)
    """The lengths of runs, in characters."""

    _texts: dict[str, str] = field(default_factory=dict)
    """Every text, by name."""

    _counts: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """What was counted of a text, by name: only once it has been compared."""

    def add(self, name: str, text: str) -> None:
        """Take in a text; one of the same name before it is replaced."""
        if self._texts.get(name) != text:
            self._texts[name] = text
            self._counts.pop(name, None)

    def compare(self, name: str, others: Iterable[str]) -> dict[str, float]:
        """Return the cosine with each of the other texts, 0 to 1; 0 for a name that is not known.

        A run counts for more the fewer of these texts have it.
        """
        import numpy as np

        cosines = dict.fromkeys(others, 0.0)
        known = [other for other in cosines if other in self._texts]
        if name not in self._texts or not known:
            return cosines
        for text in (name, *known):
            if text not in self._counts:
                self._counts[text] = count_runs(self._texts[text], self.sizes)
        counts = np.stack([self._counts[text] for text in (name, *known)])
        texts_with = np.maximum((counts > 0).sum(axis=0), 1)
        rows = np.log1p(counts, dtype=np.float64) * np.log2((len(counts) + 1) / texts_with)
        lengths = np.linalg.norm(rows, axis=1)
        products = rows[1:] @ rows[0] / np.maximum(lengths[1:] * lengths[0], 1e-12)
        # Rounded, so that the last bit of a sum decides nothing.
        cosines.update((text, round(float(cosine), 4)) for text, cosine in zip(known, products, strict=True))
        return cosines


def count_runs(text: str, sizes: Sequence[int]) -> NDArray[np.uint8]:
    """Return how often each cell is met by the runs of a text, at most 255 times."""
    import numpy as np

    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    words = re.sub(r"\d", "0", plain).split()
    padded = f" {' '.join(words)} "
    cells = [
        zlib.crc32(padded[start : start + size].encode("utf-8", "replace")) % _CELLS
        for size in sizes
        for start in range(len(padded) - size + 1)
    ]
    counts = np.bincount(np.array(cells, dtype=np.int64), minlength=_CELLS)
    return np.minimum(counts, 255).astype(np.uint8)
