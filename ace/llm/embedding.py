"""Texts as vectors: by default static embeddings that come with a package, or any embedding model of litellm.

`wordllama` averages one vector a token (256 numbers), offline and in microseconds. It knows words, not their
order: "use" and "do not use" are near each other, so nearness alone decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ace.errors import ModelUnavailable
from ace.llm.providers import PAST_BOUNDS, check_address, load_litellm, open_client, quote_failure, read_error
from ace.llm.wire import Exchange, keep_exchange
from ace.text.unicode import mend_surrogates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DEFAULT_EMBEDDER = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_SECONDS = 300.0  # of a request
_MOST_BYTES = 64_000_000  # vectors of many texts are long
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


class Embedder(Protocol):
    """Turn texts into vectors, equal texts into equal ones. A stored vector is good for one `name` only."""

    @property
    def name(self) -> str:
        """Return the name that stored vectors are kept under."""
        ...

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return shape (texts, dimensions), each row of length 1, or 0 for a text without a known word.

        No texts give shape (0, n) with any n. Raises ModelUnavailable where the embedder cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class WordLlama:
    """Embed with the vectors that come with the package of this name. Safe to use from several threads.

    The first use reads the weights into memory, where they stay.
    """

    name: str = DEFAULT_EMBEDDER
    """That of the vectors, as journals and stores record it."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return shape (texts, 256). Raises ModelUnavailable when the package's files are not there."""
        if not texts:
            return _normalise([[0.0]])[:0]
        # Never empty, and without half characters, which no tokenizer takes.
        whole = [text.encode("utf-8", "replace").decode() or " " for text in texts]
        return _normalise(_load_wordllama().embed(whole))


@dataclass(frozen=True, slots=True)
class LitellmEmbedder:
    """Embed with a model by the name that litellm knows it by. Keys are read from litellm's variables."""

    name: str
    """The model, as "openai/text-embedding-3-small"."""

    api_base: str | None = None
    """The address of an OpenAI-compatible server of one's own; None is the provider's."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Make one request. Raises ModelUnavailable when it does not bring a vector for each text."""
        if not texts:
            return _normalise([[0.0]])[:0]
        exchange = Exchange(_SECONDS, _MOST_BYTES)
        client = open_client(self.name, self.api_base, None)
        try:
            with keep_exchange(exchange):
                response = load_litellm().embedding(
                    model=self.name,
                    input=[mend_surrogates(text) for text in texts],
                    api_base=self.api_base,
                    client=client,
                    timeout=_SECONDS,
                )
            if exchange.ends is None:
                raise LookupError(PAST_BOUNDS)
            rows = sorted(response.data, key=lambda row: row["index"])
            if len(rows) != len(texts):
                raise LookupError(f"{len(rows)} vectors for {len(texts)} texts")
            return _normalise([row["embedding"] for row in rows])
        except LookupError as error:
            problem = str(error)
        except Exception as error:  # litellm has a type for each provider's way to fail
            problem = quote_failure(read_error(exchange, error)).rstrip(".")
        finally:
            if client is not None:
                client.close()
        raise ModelUnavailable(
            f"The embedding model {self.name} does not answer ({problem}).",
            hint=f"Check its name and key, or use the default, {DEFAULT_EMBEDDER}.",
        )


def connect_embedder(name: str = DEFAULT_EMBEDDER, *, api_base: str | None = None) -> Embedder:
    """Return an embedder by name: the default one, or a model that litellm knows.

    Nothing is loaded or asked yet: a name that nobody serves raises ModelUnavailable when it is first used.
    Raises InputError for an address that is none.
    """
    if name == DEFAULT_EMBEDDER:
        return WordLlama()
    if api_base is not None:
        check_address(api_base)
    return LitellmEmbedder(name, api_base)


@cache
def _load_wordllama() -> Any:
    """Build it from the two packaged files: its own `load()` looks elsewhere and tries to download.

    Raises ModelUnavailable where a file is missing.
    """
    package = find_spec("wordllama")
    folder = Path(package.origin).parent if package and package.origin else Path()
    if not (folder / _WEIGHTS).is_file() or not (folder / _TOKENIZER).is_file():
        hint = "Install the package again: pip install --force-reinstall wordllama"
        raise ModelUnavailable(f"The embedding model {DEFAULT_EMBEDDER} is gone.", hint=hint)
    from safetensors import safe_open
    from tokenizers import Tokenizer

    # Importing wordllama sets logging up for the whole process: it is put back as it was. What other threads
    # log below warnings meanwhile is lost.
    root = logging.getLogger()
    handlers = list(root.handlers)
    level = root.level
    disabled = root.manager.disable
    logging.disable(max(disabled, logging.INFO))
    try:
        from wordllama import WordLlamaInference
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)

    with safe_open(folder / _WEIGHTS, framework="np") as file:
        weights = file.get_tensor("embedding.weight")
    return WordLlamaInference(weights, Tokenizer.from_file(str(folder / _TOKENIZER)))


def _normalise(rows: Any) -> Vectors:
    """Divide each row by its length; a row of zeros stays."""
    import numpy as np

    vectors = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
