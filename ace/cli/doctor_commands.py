"""`ace doctor`: what is installed, reachable, slow or misconfigured, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.completion import complete_model
from ace.cli.options import ApiBase, Json
from ace.cli.output import emit
from ace.cli.playbook_places import CheckedPlaybook, SamePlaybook, choose_word

if TYPE_CHECKING:
    from ace.cli.doctor.finding import Finding
    from ace.store.postgres.server_look import ServerSizes
    from ace.store.table_sizes import FileSizes

_MARKS = {"ok": "ok", "note": "-", "warning": "!", "broken": "BROKEN"}


Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Ask this model for one word, twice; may be repeated.",
        autocompletion=complete_model,
    ),
]
Extras = Annotated[
    list[str] | None, typer.Option("--extra", metavar="NAME", help="This extra must be installed.")
]


def doctor(
    place: CheckedPlaybook = None,
    playbook: SamePlaybook = None,
    model: Models = None,
    api_base: ApiBase = None,
    extra: Extras = None,
    json: Json = False,
) -> None:
    """Say what is installed, reachable, slow or misconfigured, and what to do about it.

    Without --model, or a playbook on a server, nothing is asked over a network. Keys are named and never
    shown. It ends with 1 where something is broken that every run needs, or that was asked for: a playbook, a
    model, an extra.
    """
    from ace.cli.doctor import machine, model_access, packages, playbook_size, user_settings
    from ace.cli.doctor.finding import Health
    from ace.llm.local.weights import cache_folder

    folder, playbook = Path(), choose_word(place, playbook)
    if isinstance(playbook, Path) and playbook.parent.is_dir():
        folder = playbook.parent
    findings = [
        *machine.check_python(),
        *packages.check_packages(tuple(extra or ())),
        *model_access.check_weights(),
        *user_settings.check_keys(),
        *machine.check_processor(),
        *machine.check_disk(folder, cache_folder()),
        *machine.check_sqlite(folder),
        *machine.check_terminal(),
        *user_settings.check_settings(),
    ]
    for name in model or ():
        findings += model_access.check_model(name, api_base)
    sizes: FileSizes | ServerSizes | None = None
    if playbook is not None:
        about_playbook, sizes = playbook_size.check_playbook(playbook)
        findings += about_playbook
    text = _render(findings)
    report: dict[str, Any] = {"findings": [asdict(finding) for finding in findings]}
    if sizes is not None:
        text = f"{text}\n\n{_render_sizes(sizes)}"
        report["sizes"] = asdict(sizes)
    broken = sum(finding.health is Health.BROKEN for finding in findings)
    warnings = sum(finding.health is Health.WARNING for finding in findings)
    report["broken"] = broken
    emit(json, report, f"{text}\n\n{broken} broken, {warnings} to look at.")
    if broken:
        raise typer.Exit(1)


def _render(findings: Iterable[Finding]) -> str:
    """Return the findings as lines, by topic, each fix below its finding."""
    lines = []
    for finding in findings:
        mark = _MARKS[finding.health.value]
        lines.append(f"{mark:<6} {finding.topic.value:<9} {finding.text}")
        if finding.fix:
            lines.append(f"{'':<16} -> {finding.fix}")
    return "\n".join(lines)


def _render_sizes(sizes: FileSizes | ServerSizes) -> str:
    """Return the sizes of a playbook as a table."""
    from ace.runs.run_text import align_columns
    from ace.store.table_sizes import FileSizes

    head = "bytes (estimated)" if isinstance(sizes, FileSizes) and sizes.estimated else "bytes"
    rows = [("table", "rows", head)]
    rows += [(table.name, f"{table.rows:,}", f"{table.bytes:,}") for table in sizes.tables]
    if not isinstance(sizes, FileSizes):
        rows += [("playbook", "", f"{sizes.playbook:,}"), ("database", "", f"{sizes.database:,}")]
        return align_columns(rows, right=(1, 2))
    rows.append(("free", "", f"{sizes.free:,}"))
    rows.append(("file", "", f"{sizes.file:,}"))
    if sizes.log:
        rows.append(("write-ahead log", "", f"{sizes.log:,}"))
    text = align_columns(rows, right=(1, 2))
    if sizes.estimated:
        text += (
            "\nThis SQLite does not count bytes by table: they are estimated from samples of rows, without "
        )
        text += "indexes."
    return text
