"""`ace domains ...`: the domains of a playbook file, and which of them a question belongs to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ace.cli.options import Json, PlaybookFile, playbook_file
from ace.cli.output import emit


def list_(playbook: PlaybookFile = None, json: Json = False) -> None:
    """List the domains with the size of their playbooks. `ace learn TASK --domain NAME` begins one."""
    from ace.loop.domains import list_domains, name_branch, read_router
    from ace.runs.run_text import align_columns, format_count
    from ace.store import Store

    domains = list[dict[str, Any]]()
    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        questions = read_router(store).questions
        for domain in list_domains(store):
            branch = name_branch(domain)
            row = {"name": domain, "branch": branch, "version": store.find_version(branch)}
            row["bullets"] = len(store.checkout(branch).active)
            row["questions"] = len(questions.get(domain, ()))
            domains.append(row)
    rows = []
    for row in domains:
        sizes = (format_count(row["bullets"], "bullet"), format_count(row["questions"], "question"))
        rows.append((row["name"], f"version {row['version']}", *sizes))
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
