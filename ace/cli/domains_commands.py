"""`ace domains ...`: the domains of a playbook file, and which of them a question belongs to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ace.cli.options import Json
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile, playbook_file


def list_(playbook: PlaybookFile = None, json: Json = False) -> None:
    """List the domains with the size of their playbooks. `ace learn TASK --domain NAME` begins one."""
    from ace.loop.domains import list_domains, name_branch, read_router
    from ace.runs.run_text import align_columns, format_count
    from ace.store import Store

    domains = list[dict[str, Any]]()
    rows = list[tuple[str, ...]]()
    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        asked = read_router(store).questions
        for domain in list_domains(store):
            branch = name_branch(domain)
            version, bullets = store.find_version(branch), len(store.checkout(branch).active)
            questions = len(asked.get(domain, ()))
            sizes = {"version": version, "bullets": bullets, "questions": questions}
            domains.append({"name": domain, "branch": branch, **sizes})
            words = (format_count(bullets, "bullet"), format_count(questions, "question"))
            rows.append((domain, f"version {version}", *words))
    text = align_columns(rows) if rows else "No domains: all learn on main."
    emit(json, {"domains": domains}, text)


def route(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What is asked.")],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Say which domain a question belongs to, by those that each domain learned from. No model is asked.

    One that belongs to none gets main, which all domains share.
    """
    from ace.loop.domains import name_branch, read_router
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        chosen = read_router(store).choose(question)
    branch = name_branch(chosen.domain)
    text = (
        f"{chosen.domain or 'none'}: branch {branch} (likeness {chosen.likeness:.2f}, lead {chosen.lead:.2f})"
    )
    emit(json, asdict(chosen) | {"branch": branch}, text)


ABOUT = "The domains of a playbook file, each with a playbook of its own beside what all share."
COMMANDS = (list_, route)
