"""Memories of a playbook file, as `Store` offers them: stored, read, forgotten, exported and imported.

Every stored memory has passed the rules of `ace.memory.acceptance`, whoever proposed it. Each method is one
transaction; forgetting then also clears the bytes from the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ace.errors import InputError, MemoryRefused, StoreBusy, UnknownMemory
from ace.memory import Kind, Memory, Scope, check_memory, parse_instant
from ace.memory.acceptance import MemoryProposal, MemoryRule, Proposal, decide, find_flaw
from ace.memory.conversation import Conversation
from ace.runs.records import Forgotten, Imported
from ace.safety.secrets import SECRET_MARK, hide_secrets
from ace.store import checked_rows, memory_rows
from ace.store.connection import OpenFile
from ace.store.integrity import forget
from ace.store.integrity.redact import Show, TextMatcher, compile_matcher, show_nothing
from ace.store.sqlite_text import now, read_column, to_text

_AUTHOR = "user"
_HINTS = {
    MemoryRule.SECRET: "Keep secrets where secrets are kept, not in a context.",
    MemoryRule.INSTRUCTION: "What the agent has to do belongs into the task's instructions or its playbook.",
}


class MemoryStore(OpenFile):
    """Store and forget memories. `Store` inherits it; a source of memories uses it alone.

    Every method raises StoreBusy, StoreUnwritable and NotAPlaybook as those of `Store` do.
    """

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
        """Store that `attribute` of `subject` is `value`, from `since` (now) on, and close the value before.

        With a user it is about that user, with a session too about that session only, with neither for
        everyone. Raises MemoryRefused for a secret, an order to the agent, a known or an empty value;
        InputError, with the field, for an invalid date, scope or kind.
        """
        if not scope and session:
            scope = Scope.SESSION
        elif not scope:
            scope = Scope.USER if user else Scope.EVERYONE
        memory = Memory(
            attribute=attribute,
            value=value,
            user=user,
            session=session,
            scope=_parse_choice(Scope, scope, "scope"),
            kind=_parse_choice(Kind, kind, "kind"),
            subject=subject,
            since=since or now(),
            expires=expires,
            author=author,
            created=now(),
        )
        timed = check_memory(memory)
        with self._writing() as db:
            holding = memory_rows.read(db, timed.user, timed.session or None, at=timed.since)
            refusal = find_flaw(timed, holding)
            if refusal:
                hint = _HINTS.get(refusal.rule, "")
                reason = str(refusal)
                if refusal.rule is MemoryRule.SECRET:  # "secret: ..." would be hidden as one
                    reason = f"{refusal.detail} (rule {refusal.rule})"
                raise MemoryRefused(f"This is not kept: {reason}.", hint=hint, why=str(refusal))
            return memory_rows.add(db, timed)

    def consider(
        self, conversation: Conversation, proposals: Iterable[Proposal], *, author: str
    ) -> list[MemoryProposal]:
        """Store those proposals that pass the rules. Record all of them, each with the decision on it.

        `author` is who proposed them. Secrets are blacked out in the record of a refused one. A proposal is
        held against those before it, too, so that the same thing is kept once.
        """
        at = now()
        records = list[MemoryProposal]()
        with self._writing() as db:
            for proposal in proposals:
                existing = memory_rows.read(db, conversation.user, conversation.session)
                memory, refusal = decide(proposal, conversation, existing)
                fields = {}
                for name, value in asdict(proposal).items():
                    fields[name] = hide_secrets(str(value or ""))
                if refusal.rule is MemoryRule.SECRET:
                    fields["value"] = SECRET_MARK  # all of it
                record = MemoryProposal(
                    user=conversation.user,
                    session=conversation.session,
                    conversation=conversation.id,
                    proposal=fields,
                    outcome="rejected",
                    why=hide_secrets(str(refusal)),
                    author=author,
                    rule=refusal.rule,
                    same_as=refusal.same_as,
                )
                if memory is not None:
                    stored = memory_rows.add(db, replace(memory, author=author, created=at))
                    record = replace(record, outcome="accepted", memory=stored.id)
                records.append(record)
            memory_rows.add_proposals(db, records, at)
        return records

    def memories(
        self,
        user: str | None = None,
        *,
        session: str | None = None,
        at: str | None = None,
        every: bool = False,
    ) -> list[Memory]:
        """Return memories that hold at a time (now) for a user and for everyone, oldest first.

        `at` is a date or time in ISO 8601, now by default. Without a user, return those of all users. A
        `session` leaves out what is for other sessions; `every` adds closed memories. Raises InputError for a
        date that is none.
        """
        instant = None if every else parse_instant(at or now(), field="at")
        with self._reading() as db:
            return memory_rows.read(db, user, session, at=instant)

    def memory_users(self) -> list[str]:
        """Return the names of users of whom there are memories, sorted."""
        with self._reading() as db:
            return read_column(db, "SELECT DISTINCT user FROM memories WHERE user <> '' ORDER BY user")

    def known_user(self, user: str) -> str:
        """Return the user, if there are memories of them. Raises UnknownMemory, which names similar users."""
        users = self.memory_users()
        if user not in users:
            hint = f"{len(users)} users are known here."
            close = get_close_matches(user, users, n=3)
            if close:
                hint = f"Did you mean {', '.join(close)}?"
            raise UnknownMemory(f"Nothing is remembered of a user {user!r:.60} in {self.path}.", hint=hint)
        return user

    def memory_proposals(self, user: str | None = None) -> list[MemoryProposal]:
        """Return the memories that models proposed, in order, each with the decision on it."""
        columns = "user, session, conversation, proposal, outcome, why, memory, author, rule, same_as"
        sql = f"""SELECT {columns} FROM memory_proposals
            WHERE CAST(:user AS TEXT) IS NULL OR user = :user ORDER BY id"""  # noqa: S608 (our own names)
        proposals = []
        with self._reading() as db:
            for row in db.execute(sql, {"user": user}):
                fields = dict(zip(columns.split(", "), row, strict=True))
                fields["proposal"] = json.loads(fields["proposal"])
                fields["rule"] = memory_rows.RULES.get(fields["rule"], MemoryRule.UNKNOWN)
                proposals.append(MemoryProposal(**fields))
        return proposals

    def forget_user(
        self, user: str, *, also: Sequence[str] = (), author: str = _AUTHOR, show: Show = show_nothing
    ) -> Forgotten:
        """Forget all memories of a user, and all that was only proposed. `show` is that of `forget`.

        Raises UnknownMemory for a user of whom there is nothing.
        """
        with self._writing() as db:
            ids = [memory.id for memory in memory_rows.read(db, user, None) if memory.user == user]
            proposed = memory_rows.blank_proposals(db, forget.MARKER, user=user)
        if not ids and not proposed:
            self.known_user(user)
        return self.forget(ids, also=also, author=author, show=show)

    def forget(
        self,
        ids: str | Iterable[str],
        *,
        also: Sequence[str] = (),
        author: str = _AUTHOR,
        show: Show = show_nothing,
    ) -> Forgotten:
        """Delete memories for good, and black out their texts, and those in `also`, in the whole file.

        `also` are texts that tell of them in other words. Export files that are still there are rewritten,
        too; what could not be reached is named in the result. Raises UnknownMemory for an id that is not
        there, and StoreError where the history of the playbook would break: then nothing is deleted. `show`
        is called with the tables that were looked through, and how many there are.
        """
        if isinstance(ids, str):
            ids = [ids]
        wanted = list(dict.fromkeys(ids))
        with self._reading() as db:
            texts = forget.list_texts(memory_rows.find(db, wanted), also)
        self._remove_bullets(compile_matcher(texts), author)
        with self._writing() as db:
            db.allow_rewriting()
            memories = memory_rows.find(db, wanted)
            tables = forget.forget_in_tables(db, memories, texts, author, show)
            memory_rows.note_forgotten(db, ids=[memory.id for memory in memories], redacted=tables.redacted)
            exports = read_column(db, "SELECT path FROM memory_exports GROUP BY path ORDER BY min(id)")
        self._drop_cache()
        written, failed = forget.forget_in_exports(map(Path, exports), memories, tables.matcher)
        copies: tuple[str, ...] = (f"{self.path}: the server's write-ahead log, and its backups",)
        if isinstance(self.path, Path):
            copies = forget.find_in_copies(self.path, tables.matcher)
        return Forgotten(
            memories=tuple(wanted),
            redacted=tables.redacted,
            exports=tuple(written),
            remaining=(*tables.remaining, *failed, *copies),
            scrubbed=self.scrub(),
            short=sum(not forget.is_distinctive(memory.value) for memory in memories),
        )

    def _remove_bullets(self, matcher: TextMatcher, author: str) -> None:
        """Remove bullets that hold a forgotten text: without it they would say nothing. Here are none."""

    def scrub(self) -> bool:
        """Write the file anew without deleted text, and empty its log.

        Return False while another process has it open. Otherwise mark the forgotten memories as scrubbed.
        """
        try:
            with self._db.typed_errors(self.path):
                scrubbed = self._db.scrub()
        except StoreBusy:
            return False
        if not scrubbed:
            return False
        with self._writing() as db:
            memory_rows.note_forgotten(db, scrubbed=True)
        return True

    def note_export(self, path: str | Path) -> None:
        """Write down that memories were exported to this file, so that forgetting rewrites it, too."""
        with self._writing() as db:
            (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM memory_exports").fetchone()
            row = (number, to_text(str(Path(path).absolute())), now())
            checked_rows.insert(db, "memory_exports", [row])

    def import_memories(self, found: Sequence[Memory], *, author: str = "import") -> Imported:
        """Store memories, as `ace.memory.memory_file` reads them.

        One whose id is another memory's here is left out. Forgotten memories stay forgotten.
        """
        added = list[str]()
        refused = list[str]()
        repeated = list[str]()
        at = now()
        with self._writing() as db:
            stored = {memory.id: memory for memory in memory_rows.read(db, None, None)}
            forgotten = memory_rows.read_forgotten(db)
            for memory in sorted(found, key=lambda memory: memory.since):
                if memory.id in forgotten:
                    continue
                try:
                    same = _find_same(memory, stored)
                except InputError as error:
                    refused.append(str(error))
                    continue
                if same is not None:
                    repeated.append(same.id)
                    continue
                new = replace(memory, author=memory.author or author, created=memory.created or at)
                new = memory_rows.add(db, new)
                stored[new.id] = new
                added.append(new.id)
        still_forgotten = [memory.id for memory in found if memory.id in forgotten]
        return Imported(
            added=tuple(added),
            known=tuple(repeated),
            forgotten=tuple(still_forgotten),
            refused=tuple(refused),
        )


def _parse_choice(choices: type[Scope] | type[Kind], name: str, field: str) -> Any:
    """Return the member of an enum with this value. Raises InputError, which lists the values."""
    try:
        return choices(name)
    except ValueError as error:
        expected = ", ".join(choices)
        raise InputError(f"{field}: expected {expected}, found {name!r:.60}.", field=field) from error


def _find_same(memory: Memory, stored: dict[str, Memory]) -> Memory | None:
    """Return the stored memory with the same id, or without an id the one that says the same from then on.

    Raises InputError where the stored memory with that id says something else.
    """
    content = (memory.line, memory.value, memory.since)
    if memory.id in stored:
        namesake = stored[memory.id]
        if (namesake.line, namesake.value, namesake.since) != content:
            hint = "Take the id out of the file to import it as a new memory."
            problem = f"id: {memory.id} is another memory here ({namesake.text!r:.80})."
            raise InputError(problem, hint=hint, field="id")
        return namesake
    if not memory.id:
        for candidate in stored.values():
            if (candidate.line, candidate.value, candidate.since) == content:
                return candidate
    return None
