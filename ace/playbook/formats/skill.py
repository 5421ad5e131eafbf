"""Writes a playbook as an Agent Skill: a folder whose `SKILL.md` an agent opens when its description fits.

An agent reads names and descriptions of all skills, one `SKILL.md` when it needs it, and further files when
that leads to them. So small sections stand in `SKILL.md`, and large ones in files of their own. The same
playbook gives the same files. Pure: the files are texts by their path in the folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping

from ace.errors import InputError
from ace.playbook.arrange import arrange_bullets
from ace.playbook.model import Playbook, Section
from ace.safety import neutralise
from ace.text.tokens import estimate_tokens

FRONT = "SKILL.md"
FOLDER = "references"
LONGEST_NAME = 64  # characters; this and the next are limits of the specification
LONGEST_DESCRIPTION = 1_024
_MOST_TOKENS = 4_000  # of SKILL.md; the specification recommends less than 5,000, and 500 lines
_MOST_LINES = 400
_LONGEST_SLUG = 40
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MARKUP = re.compile(r"[<>]")  # a description may hold no tags
_SEAL = re.compile(r"<!-- written by ace, and written anew by the next export: ([0-9a-f]{16}) -->\n\Z")


def write_skill(playbook: Playbook, name: str, description: str = "") -> dict[str, str]:
    """Return the files of a skill with the active bullets, `SKILL.md` last: text by path.

    Without a description it says what the sections are. Raises InputError for a name or a description that a
    skill cannot have, and where there are no active bullets.
    """
    sections = arrange_bullets(playbook.active).sections
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        hint = f"A folder such as {_slug(name)!r}." if _slug(name) else "Give another folder."
        message = (
            f"A skill has the name of its folder, and {name!r} is none: up to {LONGEST_NAME} of a-z, 0-9"
        )
        raise InputError(f"{message} and single '-' within.", hint=hint)
    if not sections:
        raise InputError("There are no active bullets to write.", hint="Learn or import some first.")
    description = _one_line(description) or _describe(name, sections)
    if len(description) > LONGEST_DESCRIPTION:
        problem = f"The description has {len(description)} characters, and may have {LONGEST_DESCRIPTION}."
        raise InputError(problem, hint="Give a shorter one with --description.")

    paths = _name_files(sections)
    inline = list(sections)
    outside: list[Section] = []
    while True:
        links = {paths[section.name]: section for section in sections if section in outside}
        front = _write_front(name, description, inline, links)
        is_short = estimate_tokens(front) <= _MOST_TOKENS and front.count("\n") <= _MOST_LINES
        if is_short or not inline:
            break
        largest = max(inline, key=lambda section: sum(len(bullet.content) for bullet in section.bullets))
        inline.remove(largest)
        outside.append(largest)
    files = {paths[section.name]: _write_lessons([section]) for section in outside}
    return {path: _seal(text) for path, text in sorted(files.items())} | {FRONT: _seal(front)}


def is_own_text(text: str) -> bool:
    """Tell whether a file of a skill was written by us, and not changed since."""
    seal = _SEAL.search(text)
    return seal is not None and _digest(text[: seal.start()]) == seal[1]


def _describe(name: str, sections: Iterable[Section]) -> str:
    """Return a description that says when to use the skill, with as many sections as there is room for."""
    label = name.replace("-", " ")
    text = f"Lessons learned about {label}. Use when working on {label}"
    end = "."
    for place, section in enumerate(sections):
        addition = f"{', ' if place else ': '}{_one_line(section.name)}"
        if len(text) + len(addition) + len(end) > LONGEST_DESCRIPTION:
            break
        text += addition
    return text + end


def _write_front(name: str, description: str, inline: Iterable[Section], links: Mapping[str, Section]) -> str:
    """Return SKILL.md: the front matter, the sections that stand in it, and the others by their paths."""
    quoted = json.dumps(description, ensure_ascii=False)  # which is YAML, too
    text = f"---\nname: {name}\ndescription: {quoted}\n---\n\n{_write_lessons(inline)}"
    if links:
        text += "\n## More lessons\n\nRead a file before you work on what it is about.\n\n"
    for path, section in links.items():
        count = len(section.bullets)
        label = re.sub(r"([\[\]\\`*_])", r"\\\1", _one_line(section.name))
        text += f"- [{label}]({path}): {count} lesson{'s' * (count != 1)}\n"
    return text


def _write_lessons(sections: Iterable[Section]) -> str:
    """Return sections as Markdown under one heading, safe to stand in a prompt."""
    text = "# Lessons\n"
    for section in sections:
        text += f"\n## {neutralise(section.name)}\n\n"
        text += "".join(f"- {neutralise(bullet.content)}\n" for bullet in section.bullets)
    return text


def _name_files(sections: Iterable[Section]) -> dict[str, str]:
    """Return the path of a file for each section, by its name."""
    paths: dict[str, str] = {}
    for section in sections:
        slug = _slug(section.name)[:_LONGEST_SLUG].strip("-") or f"section-{_digest(section.name)[:8]}"
        path = f"{FOLDER}/{slug}.md"
        if path in paths.values():
            path = f"{FOLDER}/{slug}-{_digest(section.name)[:8]}.md"
        paths[section.name] = path
    return paths


def _slug(text: str) -> str:
    """Return a text in small letters of ASCII, digits and single '-'; "" where it has none of them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_NAME].strip("-")


def _one_line(text: str) -> str:
    """Return a text on one line, without tags and characters that are not printed."""
    line = " ".join(_MARKUP.sub("", text).split())
    return "".join(filter(str.isprintable, line))


def _seal(text: str) -> str:
    """Return a text with a last line by which `is_own_text` knows it."""
    text = f"{text}\n"
    digest = _digest(text)
    return f"{text}<!-- written by ace, and written anew by the next export: {digest} -->\n"


def _digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
