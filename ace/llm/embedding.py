"""Texts as vectors: by default static embeddings that come with a package, or any embedding model of litellm.

`wordllama` averages one vector a token (256 numbers), offline and in microseconds. It knows words, not their
order: "use" and "do not use" are near each other, so nearness alone decides nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ace.errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DEFAULT_EMBEDDER = "wordllama"
_WEIGHTS, _TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"


class Embedder(Protocol):
    """Texts to vectors. Equal texts give equal vectors; a stored vector is good for one `name` only."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimensions), each row of length 1, or 0 for a text without a known word."""
        ...


@dataclass(frozen=True, slots=True)
class WordLlama:
    """The embeddings that come with the package of this name. Safe to use from several threads."""

    name: str = DEFAULT_EMBEDDER

    def __call__(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return _unit([[0.0]])[:0]
        return _unit(_wordllama().embed([_whole(text) for text in texts]))


@dataclass(frozen=True, slots=True)
class LitellmEmbedder:
    """An embedding model by the name that litellm knows it by. Keys are read from litellm's variables."""

    name: str
    api_base: str | None = None

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """One request. Raises ModelUnavailable when the model does not answer with a vector for each text."""
        if not texts:
            return _unit([[0.0]])[:0]
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        litellm.suppress_debug_info = True  # it prints, and stdout is ours
        try:
            made = litellm.embedding(model=self.name, input=list(texts), api_base=self.api_base)
            vectors = [row["embedding"] for row in sorted(made.data, key=lambda row: row["index"])]
        except Exception as error:  # litellm has a type for each provider's way to fail
            raise self._gone(f"{type(error).__name__}: {error}") from error
        if len(vectors) != len(texts):
            raise self._gone(f"{len(vectors)} vectors for {len(texts)} texts")
        return _unit(vectors)

    def _gone(self, why: str) -> ModelUnavailable:
        hint = f"Check its name and key, or use the default, {DEFAULT_EMBEDDER}."
        return ModelUnavailable(f"The embedding model {self.name} does not answer ({why[:300]}).", hint=hint)


def connect_embedder(name: str = DEFAULT_EMBEDDER, *, api_base: str | None = None) -> Embedder:
    """An embedder by name. Raises ModelUnavailable, for a remote one when it is first used."""
    return WordLlama() if name == DEFAULT_EMBEDDER else LitellmEmbedder(name, api_base)


@cache
def _wordllama() -> Any:
    """Built from the two packaged files: its own `load()` looks elsewhere and tries to download."""
    found = find_spec("wordllama")
    folder = Path(found.origin).parent if found and found.origin else Path()
    if not (folder / _WEIGHTS).is_file() or not (folder / _TOKENIZER).is_file():
        hint = "Install the package again: pip install --force-reinstall wordllama"
        raise ModelUnavailable(f"The embedding model {DEFAULT_EMBEDDER} is gone.", hint=hint)
    from safetensors import safe_open
    from tokenizers import Tokenizer

    with _logging_kept():
        from wordllama import WordLlamaInference

    with safe_open(folder / _WEIGHTS, framework="np") as file:
        weights = file.get_tensor("embedding.weight")
    return WordLlamaInference(weights, Tokenizer.from_file(str(folder / _TOKENIZER)))


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Importing wordllama sets up the logging of the whole process; it is put back as it was, and what
    other threads do meanwhile is not told.
    """
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    logging.disable(max(disabled, logging.INFO))
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)


def _whole(text: str) -> str:
    """Never empty, and without half characters, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode() or " "


def _unit(rows: Any) -> Vectors:
    import numpy as np

    vectors = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
