"""Memories of a playbook file, as `Store` offers them: kept, read, forgotten, taken out and in.

What is kept passes the rules of `ace.memory.acceptance`, whoever proposes it. Every method is one
transaction; forgetting then also clears the bytes from the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ace.errors import InputError, MemoryRefused, UnknownMemory
from ace.memory.acceptance import Proposal, decide, flaw
from ace.memory.conversation import Conversation
from ace.memory.memory import Kind, Memory, Scope, checked, held, instant
from ace.runs.records import Forgotten, Imported, MemoryProposal
from ace.safety.secrets import HIDDEN, without
from ace.store import memory_rows
from ace.store.integrity import forget
from ace.store.open_file import Opened
from ace.store.schema import now

_AUTHOR = "user"


class Remembering(Opened):
    """The part of a store that is about memories."""

    def remember(
        self,
        attribute: str,
        value: str,
        *,
        user: str = "",
        session: str = "",
        scope: Scope | str | None = None,
        kind: Kind | str = Kind.FACT,
        subject: str = "user",
        since: str | None = None,
        expires: str | None = None,
        author: str = _AUTHOR,
    ) -> Memory:
        """Keep that `attribute` of `subject` is `value`, from `since` (now) on. It closes what held before.

        With a user it is about that user, with a session too about that session only, with neither for
        everyone. Raises MemoryRefused for a secret, an order to the agent, what is known or empty;
        InputError, with the field, for a date that is none.
        """
        named = Scope.SESSION if session else Scope.USER if user else Scope.EVERYONE
        memory = Memory(
            attribute=attribute, value=value, user=user, session=session, subject=subject,
            scope=_one_of(Scope, scope, "scope") if scope else named, kind=_one_of(Kind, kind, "kind"),
            since=since or now(), expires=expires, author=author, created=now(),
        )  # fmt: skip
        timed = checked(memory)
        with self._writing() as db:
            if why := flaw(timed, memory_rows.read(db, timed.user or None, timed.session or None)):
                hint = _HINTS.get(why.partition(":")[0], "")
                raise MemoryRefused(f"This is not kept: {why}.", hint=hint, why=why)
            return memory_rows.add(db, timed)

    def consider(
        self, conversation: Conversation, proposals: Iterable[Proposal], *, author: str
    ) -> list[MemoryProposal]:
        """Keep those proposals that pass the rules. All are noted, with what became of them and why."""
        at, noted = now(), list[MemoryProposal]()
        with self._writing() as db:
            for proposal in proposals:
                known = memory_rows.read(db, conversation.user, conversation.session)
                memory, why = decide(proposal, conversation, known)
                shown = _shown(proposal, secret=why.startswith("secret"))
                where = (conversation.user, conversation.session, conversation.id, shown)
                if memory is None:
                    noted.append(MemoryProposal(*where, "rejected", without(why), author=author))
                    continue
                kept = memory_rows.add(db, replace(memory, author=author, created=at))
                noted.append(MemoryProposal(*where, "accepted", memory=kept.id, author=author))
            memory_rows.add_proposals(db, noted, at)
        return noted

    def memories(
        self,
        user: str | None = None,
        *,
        session: str | None = None,
        at: str | None = None,
        every: bool = False,
    ) -> list[Memory]:
        """What holds at a time (now) for a user and for everyone, oldest first; `every`: closed ones too.

        Without a user, of all of them. A `session` leaves out what is for other sessions.
        """
        with self._reading() as db:
            found = memory_rows.read(db, user, session)
        return found if every else held(found, instant(at or now(), field="at"))

    def memory_users(self) -> list[str]:
        with self._reading() as db:
            return memory_rows.users(db)

    def known_user(self, user: str) -> str:
        """The user, if there are memories of them. Raises UnknownMemory, which names those alike."""
        known = self.memory_users()
        if user not in known:
            close = get_close_matches(user, known, n=3)
            hint = f"Did you mean {', '.join(close)}?" if close else f"{len(known)} users are known here."
            raise UnknownMemory(f"Nothing is remembered of a user {user!r:.60} in {self.path}.", hint=hint)
        return user

    def memory_proposals(self, user: str | None = None) -> list[MemoryProposal]:
        """What models proposed to remember, what became of it and why, in order."""
        with self._reading() as db:
            return memory_rows.proposals(db, user)

    def forget_user(self, user: str, *, also: Sequence[str] = (), author: str = _AUTHOR) -> Forgotten:
        """Forget all that is remembered of a user, and what was only ever proposed.

        Raises UnknownMemory for a user of whom there is nothing.
        """
        with self._writing() as db:
            ids = [memory.id for memory in memory_rows.read(db, user, None) if memory.user == user]
            proposed = memory_rows.blank_proposals(db, user, forget.MARKER)
        if not ids and not proposed:
            self.known_user(user)
        return self.forget(ids, also=also, author=author)

    def forget(
        self, ids: str | Iterable[str], *, also: Sequence[str] = (), author: str = _AUTHOR
    ) -> Forgotten:
        """Delete memories for good, and black out their texts, and `also`, wherever else the file holds them.

        Raises UnknownMemory for an id that is not there; then nothing is deleted.
        """
        wanted = list(dict.fromkeys([ids] if isinstance(ids, str) else ids))
        self._db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros
        with self._writing() as db:
            found = memory_rows.by_id(db, wanted)
            done = forget.from_tables(db, found, also, author)
            exports = memory_rows.exports(db)
        self._look_again()
        files = forget.from_exports([Path(path) for path in exports], found, done.pattern)
        beside = forget.in_copies(self.path, done.pattern)
        remaining = (*done.remaining, *files.failed, *beside)
        short = sum(not forget.is_distinctive(memory.value) for memory in found)
        return Forgotten(tuple(wanted), done.redacted, files.written, remaining, self.scrub(), short)

    def scrub(self) -> bool:
        """Clear deleted text from the file and its log. False while another process has the file open."""
        if not forget.scrub(self._db, self.path):
            return False
        with self._writing() as db:
            memory_rows.note_scrubbed(db)
        return True

    def note_export(self, path: str | Path) -> None:
        """Memories were written to this file, so that forgetting takes them out of it, too."""
        with self._writing() as db:
            memory_rows.add_export(db, str(Path(path).absolute()), now())

    def import_memories(self, found: Sequence[Memory], *, author: str = "import") -> Imported:
        """Take in memories, as `ace.memory.memory_file` reads them: all of them, or none.

        Raises InputError for an id that is another memory's here. What was forgotten here stays forgotten.
        """
        added, known, at = list[str](), list[str](), now()
        with self._writing() as db:
            here = {memory.id: memory for memory in memory_rows.read(db, None, None)}
            gone = memory_rows.was_forgotten(db)
            for memory in sorted(found, key=lambda memory: memory.since):
                if memory.id in gone:
                    continue
                if same := here.get(memory.id) or _same(memory, here.values()):
                    _check_same(memory, same)
                    known.append(same.id)
                    continue
                kept = memory_rows.add(
                    db, replace(memory, author=memory.author or author, created=memory.created or at)
                )
                here[kept.id] = kept
                added.append(kept.id)
        return Imported(tuple(added), tuple(known), tuple(m.id for m in found if m.id in gone))


_HINTS = {
    "secret": "Keep secrets where secrets are kept, not in a context.",
    "instruction": "What the agent has to do belongs into the task's instructions or its playbook.",
}


def _shown(proposal: Proposal, *, secret: bool) -> dict[str, str]:
    """Its fields as they may be kept, whatever became of it."""
    fields = {name: without(str(value or "")) for name, value in asdict(proposal).items()}
    return {**fields, "value": HIDDEN} if secret else fields


def _one_of(kind: type[Scope] | type[Kind], name: str, field: str) -> Any:
    try:
        return kind(name)
    except ValueError as error:
        raise InputError(f"{field}: expected {', '.join(kind)}, found {name!r:.60}.", field=field) from error


def _same(memory: Memory, others: Iterable[Memory]) -> Memory | None:
    """One without an id is known if there is one that says the same from the same time on."""
    if memory.id:
        return None
    return next(
        (o for o in others if (o.line, o.value, o.since) == (memory.line, memory.value, memory.since)), None
    )


def _check_same(memory: Memory, here: Memory) -> None:
    if (memory.line, memory.value, memory.since) != (here.line, here.value, here.since):
        hint = "Take the id out of the file to import it as a new memory."
        raise InputError(
            f"id: {memory.id} is another memory here ({here.text!r:.80}).", hint=hint, field="id"
        )
