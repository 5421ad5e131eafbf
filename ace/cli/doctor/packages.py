"""Which distributions are installed, by what the package says it needs. Nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from typing import TYPE_CHECKING

from ace.cli.doctor.finding import Finding, Health, Topic

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_DISTRIBUTION = "ace-engine"
# Other projects that install a module of the same name.
_NAMESAKES = ("ace-playbook", "ace-framework")
_TOOLS = ("dev", "docs")  # extras for work on the package itself


@dataclass(frozen=True, slots=True)
class _Lack:
    """Name a distribution that is needed, and the version that is here in its place; "" where none is."""

    wanted: str
    installed: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.wanted} ({self.installed} is here)" if self.installed else self.wanted


def check_packages(asked: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what is missing or too old, of the package itself and of extras; `asked` ones must be there."""
    for name in _NAMESAKES:
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        text = f"{name} is installed here, too, and has a module `ace` of its own"
        yield Finding(
            Topic.PACKAGES, Health.BROKEN, text, f"pip uninstall {name}, then install ace-engine again"
        )
    declared = _read_requirements()
    if declared is None:
        text = f"{_DISTRIBUTION} is not installed: it runs from a folder, and what it needs is not known"
        yield Finding(Topic.PACKAGES, Health.WARNING, text, "pip install -e . in that folder")
        return
    lacks = _find_lacks(declared.pop("", []))
    if lacks:
        text = f"needed and not here: {', '.join(map(str, lacks))}"
        yield Finding(Topic.PACKAGES, Health.BROKEN, text, f"pip install --upgrade {_DISTRIBUTION}")
    else:
        yield Finding(Topic.PACKAGES, Health.OK, f"{_DISTRIBUTION} {version(_DISTRIBUTION)} has all it needs")
    yield from _check_extras(declared, asked)


def _check_extras(declared: Mapping[str, list[Requirement]], asked: tuple[str, ...]) -> Iterator[Finding]:
    """Yield which extras are there and which are not, and what one lacks that is asked for or outdated."""
    here: list[str] = []
    absent: list[str] = []
    for extra in asked:
        if extra not in declared:
            extras = ", ".join(sorted(declared))
            yield Finding(
                Topic.EXTRAS, Health.BROKEN, f"no extra is called {extra!r:.40}", f"known are {extras}"
            )
    for extra, requirements in sorted(declared.items()):
        lacks = _find_lacks(requirements)
        is_outdated = any(lack.installed for lack in lacks)
        if not lacks:
            here.append(extra)
        elif extra in asked or is_outdated:
            health = Health.BROKEN if extra in asked else Health.WARNING
            text = f"{extra}: without {', '.join(map(str, lacks))}"
            yield Finding(Topic.EXTRAS, health, text, f"pip install '{_DISTRIBUTION}[{extra}]'")
        elif extra not in _TOOLS:
            absent.append(extra)
    if absent:
        fix = f"where you need one: pip install '{_DISTRIBUTION}[NAME]'"
        yield Finding(Topic.EXTRAS, Health.NOTE, f"not installed: {', '.join(absent)}", fix)
    text = f"installed: {', '.join(here)}" if here else "none is installed"
    yield Finding(Topic.EXTRAS, Health.OK, text)


def _read_requirements() -> dict[str, list[Requirement]] | None:
    """Return the requirements by extra, "" for those of the package itself; None where it is not installed.

    Those of other systems and versions of Python are left out, and an extra within an extra is resolved.
    """
    from packaging.requirements import Requirement

    try:
        lines = requires(_DISTRIBUTION) or []
        extras = distribution(_DISTRIBUTION).metadata.get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return None
    parsed = [Requirement(line) for line in lines]
    table: dict[str, list[Requirement]] = {"": []}
    for requirement in parsed:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            table[""].append(requirement)
    for extra in extras:
        table[extra] = []
        pending = [extra]
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            seen.add(name)
            for requirement in parsed:
                if requirement.marker is None or not requirement.marker.evaluate({"extra": name}):
                    continue
                if requirement in table[""]:
                    continue
                if requirement.name == _DISTRIBUTION:
                    pending += [inner for inner in requirement.extras if inner not in seen]
                else:
                    table[extra].append(requirement)
    return table


def _find_lacks(requirements: list[Requirement]) -> list[_Lack]:
    """Return the distributions that are not installed, or are of another version than is needed."""
    lacks = []
    for requirement in requirements:
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            lacks.append(_Lack(requirement.name, ""))
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            lacks.append(_Lack(wanted, installed))
    return lacks
