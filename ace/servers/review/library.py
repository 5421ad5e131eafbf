"""What all requests share: the playbooks that are served, and what was read of them a moment ago."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from immutables import Map

from ace.llm.embedding import connect_embedder
from ace.playbook.model import Bullet, Playbook, Status
from ace.report.run_progress import ProgressReader, RunProgress
from ace.retrieval.bullets import HybridSelector
from ace.retrieval.vector_cache import VectorCache
from ace.servers.books import Books
from ace.servers.review.conflict_search import ConflictSearch
from ace.store.store import Store
from ace.store.store_database import Place

_REMEMBERED = 4  # playbooks
_FOLLOWED = 20  # runs that go on, of which only what is new is read
_WAIT = 5.0  # seconds for another process's write, and for a server
_IDLE = 4  # connections to a server that are kept for later pages


class Library:
    """Hold the playbooks of a server. Safe to use from several threads.

    `books` names them, `conflicts` looks for bullets that contradict each other.
    """

    def __init__(self, books: Books) -> None:
        self.books = books
        self.conflicts = ConflictSearch()
        # By hash, which covers everything that is in one; with its live bullets in their order.
        self._playbooks: dict[str, tuple[Playbook, tuple[Bullet, ...]]] = {}
        self._selectors: dict[Place, HybridSelector] = {}
        self._readers: OrderedDict[tuple[Place, int, str], ProgressReader] = OrderedDict()
        self._idle: defaultdict[Place, list[Store]] = defaultdict(list)
        self._lock = Lock()

    @contextmanager
    def open(self, book: str, branch: str, *, write: bool) -> Iterator[Store]:
        """Open a playbook on a branch until the block ends, to read unless `write`.

        A connection to a server that only reads is kept for later pages: making one takes longer than a page.
        Raises StoreError, and UnknownVersion for a name or a branch that is not there.
        """
        place = self.books.find(book)
        store: Store | None = None
        is_kept = not write and not isinstance(place, Path)
        if is_kept:
            with self._lock:
                if self._idle[place]:
                    store = self._idle[place].pop()
        if store is None:
            store = Store.open(place, create=False, read_only=not write, timeout=_WAIT)
        try:
            if branch != store.branch_name:
                store.switch(branch)
            yield store
        except BaseException:
            is_kept = False
            raise
        finally:
            with self._lock:
                is_kept = is_kept and len(self._idle[place]) < _IDLE
                if is_kept:
                    self._idle[place].append(store)
            if not is_kept:
                store.close()

    def checkout(self, store: Store) -> tuple[Playbook, tuple[Bullet, ...]]:
        """Return the playbook at the head of a store, and its live bullets by section and position.

        They come from memory where the head has not changed.
        """
        head = store.head()
        with self._lock:
            reading = self._playbooks.get(head.hash)
        if reading is None:
            playbook = store.checkout(head.number)
            reading = (playbook, tuple(playbook))
            with self._lock:
                self._playbooks[head.hash] = reading
                if len(self._playbooks) > _REMEMBERED:
                    del self._playbooks[next(iter(self._playbooks))]
        return reading

    def read_progress(self, store: Store, number: int) -> RunProgress:
        """Return how far a run is. While it goes on, only what is new is read. Raises UnknownVersion."""
        run = store.run(number)
        if run.status != "running":
            return ProgressReader(number).read(store)
        key = (store.path, number, run.started)
        with self._lock:
            reader = self._readers.setdefault(key, ProgressReader(number))
            self._readers.move_to_end(key)
            if len(self._readers) > _FOLLOWED:
                self._readers.popitem(last=False)
        return reader.read(store)

    def search(self, store: Store, question: str, most: int) -> list[str]:
        """Return ids of at most so many bullets of any status, the one that bears most on a question first.

        The vector of each text is computed once for a file.
        """
        playbook, _ = self.checkout(store)
        usable = {name: replace(bullet, status=Status.ACTIVE) for name, bullet in playbook.bullets.items()}
        with self._lock:
            if store.path not in self._selectors:
                self._selectors[store.path] = HybridSelector(VectorCache(store.path, connect_embedder()))
            selector = self._selectors[store.path]
        return selector.search(replace(playbook, bullets=Map(usable)), question, most)
