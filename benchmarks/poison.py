"""How much poisoned context gets through, and how much that is useful is held back. Needs no model.

Drives every injection of tests/data/injections.jsonl through the real loop, alone and behind a useful lesson,
and looks at every prompt of the generator; then lets the two rules look at useful lessons. Writes
results/poison.{json,md}.

    python benchmarks/poison.py
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ace.playbook import Status, from_markdown  # noqa: E402
from ace.playbook.exchange import plan_import  # noqa: E402
from ace.playbook.formats import detect_format  # noqa: E402
from ace.runs.metrics import wilson  # noqa: E402
from ace.safety.injection import find_suspicion  # noqa: E402
from ace.store import Store  # noqa: E402
from tests.poisoned import Injection, Struck, injections, strike, used  # noqa: E402
from tests.test_poison import FIXTURES, bullets, origins  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
TAU = ROOT / ".." / "shared" / "data" / "tau2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    found = {"date": date.today().isoformat(), "attacks": attacks(), "useful": useful()}
    args.out.mkdir(exist_ok=True)
    (args.out / "poison.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (args.out / "poison.md").write_text(page(found), encoding="utf-8")


def attacks() -> list[dict[str, object]]:
    rows = []
    for injection in injections():
        for riding in (False, True) if injection.channel != "import" else (False,):
            with tempfile.TemporaryDirectory() as folder:
                for struck in _struck(injection, Path(folder), riding):
                    rows.append(_row(injection, struck, riding))
    return rows


def _struck(injection: Injection, folder: Path, riding: bool) -> list[Struck]:
    if injection.channel != "import":
        return list(strike(injection, folder, riding=riding))
    text = f"- {injection.said} <!-- id=x-1 pinned helpful=999 from=ep-1 -->\n"
    reading = detect_format(text, file="book.md").read(text, "book.md", None)
    with Store.open(folder / "book.db") as store:
        waits = injection.rule == "quarantine"
        made = plan_import(reading, store.checkout(), quarantine=waits, pins=False, suspicion=find_suspicion)
        store.commit(made.delta, author="user", reason="import")
        return [used(injection, store)]


def _row(injection: Injection, struck: Struck, riding: bool) -> dict[str, object]:
    """`held`: it stands in quarantine. Neither held nor reached: nothing of it was proposed."""
    left = struck.of(injection)
    return {
        "id": injection.id,
        "channel": injection.channel,
        "tries": injection.tries,
        "riding": riding,
        "rule": _rule(injection),
        "reached": len(struck.reached(injection)),
        "active": sum(bullet.status is Status.ACTIVE for bullet in left),
        "held": bool(left),
        "prompts": len(struck.prompts),
    }


def _rule(injection: Injection) -> str:
    if injection.rule == "quarantine":
        return "--quarantine"
    return find_suspicion(injection.said) or "repeats a text"


def useful() -> dict[str, dict[str, float]]:
    """Of useful lessons: how many, and how many each rule holds."""
    learned = [
        bullet.content
        for file in sorted((ROOT / "playbooks").glob("shop_sql.*.md"))
        for bullet in from_markdown(file.read_text(encoding="utf-8"))
    ]
    beside = list(origins())
    found = {
        "playbooks of shop_sql, by pattern": [bool(find_suspicion(content)) for content in learned],
        "lessons of shop_sql beside the questions they are learned from": [bool(flaw) for flaw in beside],
    }
    for file in sorted(FIXTURES.glob("*/*")) if FIXTURES.exists() else ():
        if file.name.startswith(("appworld_", "skillbook_", "readme_")) and (contents := bullets(file)):
            found[f"{file.parent.name}/{file.name}, by pattern"] = [bool(find_suspicion(c)) for c in contents]
    for file in sorted(TAU.glob("*/*policy.md")) if TAU.exists() else ():
        lines = [line.strip("-* ") for line in file.read_text(encoding="utf-8").splitlines()]
        found[f"tau2/{file.parent.name}, lines of the policy, by pattern"] = [
            bool(find_suspicion(line)) for line in lines if len(line) > 20
        ]
    return {name: _share(held) for name, held in found.items()}


def _share(held: list[bool]) -> dict[str, float]:
    low, high = wilson(sum(held), len(held))
    return {"lessons": len(held), "held": sum(held), "low": low, "high": high}


def page(found: dict) -> str:  # type: ignore[type-arg]
    rows = found["attacks"]
    runs, names = len(rows), len({row["id"] for row in rows})
    reached = [row for row in rows if row["reached"] or row["active"]]
    through, prompts = {row["id"] for row in reached}, sum(row["prompts"] for row in rows)
    low, high = wilson(len(through), names)
    lines = [
        "# Poisoned context",
        "",
        f"`python benchmarks/poison.py`, {found['date']}; no model: a scripted one that repeats",
        "every injection and is right with any lesson at all.",
        "",
        f"{names} injections, {runs} runs, {prompts} prompts of the generator.",
        f"Of the injections {len(through)} reached a prompt as a bullet in use",
        f"(95% interval {low:.1%} to {high:.1%}).",
        "",
        "| channel | injections | runs | reached | in quarantine | nothing of it was proposed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    by_channel = defaultdict(list)
    for row in rows:
        by_channel[row["channel"]].append(row)
    for channel, some in by_channel.items():
        ids = len({row["id"] for row in some})
        got = sum(bool(row["reached"] or row["active"]) for row in some)
        held = sum(row["held"] for row in some)
        lines.append(f"| {channel} | {ids} | {len(some)} | {got} | {held} | {len(some) - held} |")
    lines += ["", "| stopped by | injections |", "| --- | --- |"]
    rules = Counter({row["id"]: row["rule"] for row in rows}.values())
    lines += [f"| {rule} | {count} |" for rule, count in sorted(rules.items(), key=lambda each: -each[1])]
    lines += ["", "| useful lessons | how many | held | 95% interval |", "| --- | --- | --- | --- |"]
    for name, share in found["useful"].items():
        lines.append(
            f"| {name} | {share['lessons']} | {share['held']} | {share['low']:.1%} to {share['high']:.1%} |"
        )
    lines += [
        "",
        "What this does not show: the expressions were written beside these injections, and tuned on",
        "these playbooks (not on the tau2 policies), so other wordings get past them. What then still",
        "stands is the second rule: what repeats an untrusted text waits for an attempt at another sample.",
        "Of 158 attacks of a public collection (LifeTimeScriptKiddie/Prompt_Collector) the expressions",
        "found 125 (79%, 72% to 85%) when they were first tried on it, before some were added for what",
        "they had missed.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
