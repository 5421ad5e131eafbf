"""Domains of a playbook file: each learns on a branch of its own, and a router chooses one for a question.

The branch main is what all domains share: a domain begins with what stands there, and a question that belongs
to none that is known gets it. What one domain learns stands in no prompt of another.
"""

from __future__ import annotations

from ace.retrieval.domain_router import DomainRouter
from ace.runs.steps import Phase
from ace.store import Store

CORE = "main"
_BEFORE = "domain/"


def name_branch(domain: str) -> str:
    """Return the branch of a domain; that of what is shared for ""."""
    return f"{_BEFORE}{domain}" if domain else CORE


def open_domain(store: Store, domain: str) -> None:
    """Let a store work on the branch of a domain, begun at the head of main where it is not there.

    "" is what all domains share: the branch main. Raises InputError for a name that no branch can have.
    """
    branch = name_branch(domain)
    if all(there.name != branch for there in store.branches()):
        store.branch(branch, CORE)
    store.switch(branch)


def list_domains(store: Store) -> list[str]:
    """Return the domains of a playbook file by name."""
    branches = [branch.name for branch in store.branches()]
    return sorted(name.removeprefix(_BEFORE) for name in branches if name.startswith(_BEFORE))


def read_router(store: Store) -> DomainRouter:
    """Return the router of a playbook file: of each domain it knows the questions that were learned from."""
    questions: dict[str, dict[str, None]] = {}
    for run in store.runs():
        branch = str(run.config.get("branch", CORE))
        if branch.startswith(_BEFORE):
            asked = questions.setdefault(branch.removeprefix(_BEFORE), {})
            for episode in store.episodes(run=run.id):
                if Phase.parse(episode.phase).learns:
                    asked[episode.question] = None
    return DomainRouter({domain: tuple(asked) for domain, asked in sorted(questions.items())})
