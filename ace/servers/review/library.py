"""What all requests share: the playbooks that are served, and what was read of them a moment ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock

from immutables import Map

from ace.llm.embedding import connect_embedder
from ace.playbook.model import Bullet, Playbook, Status
from ace.report.run_progress import ProgressReader, RunProgress
from ace.retrieval.bullets import HybridSelector
from ace.retrieval.vector_cache import VectorCache
from ace.servers.books import Books
from ace.servers.review.conflict_search import ConflictSearch
from ace.store.connection import ReaderPool
from ace.store.store import Store
from ace.store.store_database import Place

_REMEMBERED = 4  # playbooks
_FOLLOWED = 20  # runs that go on, of which only what is new is read
_WAIT = 5.0  # seconds for another process's write, and for a server


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
        self._pools: dict[Place, ReaderPool[Store]] = {}
        self._lock = Lock()

    @contextmanager
    def open(self, book: str, branch: str, *, write: bool) -> Iterator[Store]:
        """Open a playbook on a branch until the block ends, to read unless `write`.

        Raises StoreError, and UnknownVersion for a name or a branch that is not there.
        """
        place = self.books.find(book)
        open_store = partial(Store.open, place, create=False, timeout=_WAIT)
        with self._lock:
            if place not in self._pools:
                self._pools[place] = ReaderPool(place, partial(open_store, read_only=True))
            pool = self._pools[place]
        with open_store() if write else pool.lend() as store:
            if branch != store.branch_name:
                store.switch(branch)
            yield store

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
