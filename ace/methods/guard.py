"""Look once more at what a method learned, before it is committed: what asks to be obeyed is not used."""

from __future__ import annotations

from collections.abc import Iterable

from ace.playbook.model import Add, Delta, Merge, Operation, Playbook, Promote, Quarantine, Revise
from ace.safety.copied import holds_private
from ace.safety.injection import find_suspicion


def guard_delta(delta: Delta, playbook: Playbook, private: Iterable[str] = ()) -> Delta:
    """Return a delta in which nothing suspicious becomes active: the last look before a commit.

    What holds one of the `private` texts is left out. The store hides secrets.
    What is added waits. A bullet that is there keeps the text it has, and one that waits goes on waiting.
    What a person has let in may stay, and be cited and voted for.
    """
    waiting = {operation.id for operation in delta if isinstance(operation, Quarantine)}
    bullets = playbook.bullets
    safe: list[Operation] = []
    private = tuple(private)
    dropped = set[str]()
    for operation in delta:
        if isinstance(operation, Add | Revise | Merge):
            if holds_private(operation.content, private):
                dropped.add(operation.into if isinstance(operation, Merge) else operation.id)
                continue
        elif isinstance(operation, Quarantine) and operation.id in dropped:
            continue
        match operation:
            case Add(id=name, content=content) if name not in waiting and find_suspicion(content):
                safe += [operation, Quarantine(name)]
            case Revise(id=name, content=content) | Merge(into=name, content=content) if (
                name not in bullets or bullets[name].content != content
            ) and find_suspicion(content):
                continue
            case Promote(id=name) if name in bullets and find_suspicion(bullets[name].content):
                continue
            case _:
                safe.append(operation)
    return tuple(safe)
