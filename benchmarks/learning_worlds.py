"""Small scripted worlds that show what the learning core keeps and what it refuses: no model, no key,
seconds.

Each world is a teacher and a pupil written as functions of a request (`ace.testing.World`). The pupil is
right as soon as the right lesson stands in its context, or by chance; the teacher is perfect, wrong, or a
guesser. So what is kept of its lessons is the doing of the core alone.

    python benchmarks/learning_worlds.py [--profile small|full] [--formula PATH] [--only NAME] [--json]

`--formula` names ACE's `formula_train_subset_500.jsonl`; without it that world is left out.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import ace
from ace.llm.client import Request
from ace.playbook import Playbook
from ace.runs.report import Report
from ace.testing import World

TEAMS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "hazel",
    "ivory",
    "jasper",
    "kelp",
    "lotus",
    "maple",
    "nickel",
    "ochre",
    "pearl",
    "quartz",
    "river",
    "sage",
    "topaz",
]
GOODS = [
    "tiles",
    "rugs",
    "lamps",
    "desks",
    "beds",
    "jars",
    "cups",
    "nets",
    "oars",
    "pins",
    "bolts",
    "belts",
    "hats",
    "coats",
    "boots",
    "kites",
    "drums",
    "bells",
    "flags",
    "ropes",
]
PAGES = {
    "songs": [20, 20, 7],
    "films": [20, 3],
    "books": [20, 20, 20, 1],
    "games": [20, 9],
    "notes": [20, 20, 2],
    "mails": [20, 11],
}
PAGINATION = {
    "plain": "Paginated results: keep requesting the next page until an empty page comes back.",
    "with numbers": (
        "Paginated results: start at page_index = 0, page_limit = 20 is the most, go on until a page is "
        "empty."
    ),
    "code": (
        "Paginated results:\n```python\nitems, page = [], 0\nwhile True:\n"
        "    got = api.show(page_index=page, page_limit=20)\n    if not got: break  # until empty\n"
        "    items += got; page += 1\n```"
    ),
    "long": (
        "When a question asks how many or all of something, the API returns one page at a time. 1) Start "
        "with the "
        "first page. 2) Request the next page until an empty page comes back. 3) Concatenate, then count. "
        "4) Never "
        "answer from the first page alone: the first page being full is a sign that more exist. 5) Check "
        "the total "
        "against any count that the API itself reports; where they differ, repeat the walk once and keep the "
        "larger. This matters because the default page size is small and silent truncation looks like a "
        "complete "
        "answer, which was the cause of this failure here and will be again for any other listing."
    ),
}


@dataclass(frozen=True)
class Row:
    """Hold what one world came to: `value` of `possible`, and whether that is within its `bar`."""

    world: str
    value: int
    possible: int
    bar: str
    ok: bool
    calls: dict[str, int]


@dataclass(frozen=True)
class Ran:
    """Hold a run, the playbook that it left, and the calls by role."""

    report: Report
    playbook: Playbook
    calls: dict[str, int]

    @property
    def right(self) -> int:
        """Return how many test questions were right afterwards."""
        return self.report.after.correct if self.report.after else 0

    @property
    def bullets(self) -> int:
        """Return how many bullets are in use."""
        return len(self.playbook.active)


def run(task: Any, world: World, **settings: Any) -> Ran:
    """Learn in a new file, and return what came of it."""
    with tempfile.TemporaryDirectory() as folder, ace.open_playbook(Path(folder) / "p.db") as store:
        report = ace.learn(task, store, world, **{"workers": 1, **settings})
        return Ran(report, store.checkout(), dict(world.calls))


def label(sample: Any, answer: str) -> bool:
    """Return whether an answer is the sample's own."""
    return bool(answer.strip() == sample.data["answer"])


def learn_formula(path: Path, lesson: str, **settings: Any) -> Row:
    """Let a perfect teacher write one true lesson for each formula."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    random.Random(3).shuffle(rows)

    def name(text: str) -> str:
        found = re.search(r"[Uu]se (?:the )?formula (.*?) to answer", text)
        return re.sub(r" *\(.*", "", found[1]) if found else ""

    train = [
        {"id": f"t{i}", "question": r["context"], "answer": r["target"]} for i, r in enumerate(rows[:60])
    ]
    seen = {row["question"] for row in train}
    test = [
        {"id": f"x{i}", "question": r["context"], "answer": r["target"]}
        for i, r in enumerate(rows[60:120])
        if r["context"] not in seen
    ]
    gold = {row["id"]: row["answer"] for row in [*train, *test]}
    names = {name(row["question"]) for row in train}
    possible = sum(name(row["question"]) in names for row in test)

    def generate(request: Request) -> str:
        assert request.sample is not None
        topic = name(request.sample.question).lower()
        return gold[request.sample.id] if any(topic in text.lower() for text in request.bullets) else "0.123"

    def teach(request: Request) -> list[str]:
        assert request.sample is not None
        return [lesson.format(name=name(request.sample.question))]

    ran = run(ace.define_task("formula", train, label, test=test), World(generate, teach), **settings)
    return Row("formula", ran.right, possible, ">= 43 of 45", ran.right >= 43, ran.calls)


def keep_junk(chance: float, epochs: int, most: int, **settings: Any) -> Row:
    """Let a pupil be right by chance, whatever it is told, and count the lessons that are kept."""
    rng, lock = random.Random(0), Lock()

    def word(letters: str, size: int) -> str:
        return "".join(rng.choices(letters, k=size))

    train = [
        {
            "id": f"t{i:02}",
            "question": f"Puzzle {word('bcdfghjklm', 6)} number {word('bcdfghjklm', 6)}?",
            "answer": "ok",
        }
        for i in range(60)
    ]

    def generate(request: Request) -> str:
        with lock:
            return "ok" if rng.random() < chance else "no"

    def teach(request: Request) -> list[str]:
        with lock:
            return [f"Puzzles like {word('npqrstvwxz', 7)}: think about {word('npqrstvwxz', 7)} first."]

    task = ace.define_task("noise", train, lambda sample, answer: answer == "ok")
    ran = run(task, World(generate, teach), measure=False, epochs=epochs, **settings)
    name = f"junk at p={chance:g}, {epochs} epoch{'s' * (epochs > 1)}"
    return Row(name, ran.bullets, 60, f"<= {most}", ran.bullets <= most, ran.calls)


def keep_answer_keys(**settings: Any) -> Row:
    """Let a teacher write down answers as lessons: each makes its own sample right and no other."""
    rng = random.Random(0)

    def rows(prefix: str, offset: int) -> list[dict[str, str]]:
        pairs = [(TEAMS[i], TEAMS[(i + offset) % 20]) for i in range(20)]
        return [
            {
                "id": f"{prefix}{i}",
                "question": f"Report the score of team {a} against {b}.",
                "answer": str(rng.randint(10, 99)),
            }
            for i, (a, b) in enumerate(pairs)
        ]

    train, test = rows("tr", 3), rows("te", 7)

    def generate(request: Request) -> str:
        assert request.sample is not None
        for lesson in request.bullets:
            head, _, answer = lesson.partition(": ")
            if all(word.lower() in request.sample.question.lower() for word in re.findall(r"\w+", head)):
                return answer.rstrip(".")
        return "unknown"

    def teach(request: Request) -> list[str]:
        assert request.sample is not None
        first, second = re.findall(r"team (\w+) against (\w+)", request.sample.question)[0]
        return [f"{first.capitalize()} {second}: {request.sample.data['answer']}."]

    ran = run(ace.define_task("key", train, label, test=test), World(generate, teach), **settings)
    return Row("answer keys kept", ran.bullets, 20, "0", ran.bullets == 0, ran.calls)


def learn_with_wrong_labels(**settings: Any) -> Row:
    """Let two of twenty labels be wrong, and the teacher believe them."""
    train = []
    for i, goods in enumerate(GOODS):
        answer = 2 * (10 + i) + (7 if i % 10 == 3 else 0)
        train.append(
            {
                "id": f"t{i:02}",
                "question": f"Invoice for {goods} at net {10 + i}: what is billed?",
                "answer": str(answer),
            }
        )
    test = [
        {
            "id": f"x{i:02}",
            "question": f"What is billed for {goods} at net {50 + i}?",
            "answer": str(2 * (50 + i)),
        }
        for i, goods in enumerate(GOODS)
    ]

    def net_of(question: str) -> int:
        return int(re.findall(r"net (\d+)", question)[0])

    def generate(request: Request) -> str:
        assert request.sample is not None
        question = request.sample.question
        for lesson in request.bullets:
            head, _, rest = lesson.partition(": ")
            exactly = re.search(r"bill exactly (\d+)", rest)
            if exactly and head.split()[0].lower() in question.lower():
                return exactly[1]
        doubled = any("double" in lesson for lesson in request.bullets)
        return str(net_of(question) * (2 if doubled else 1))

    def teach(request: Request) -> list[str]:
        assert request.sample is not None
        answer, question = int(request.sample.data["answer"]), request.sample.question
        if answer == 2 * net_of(question):
            return ["Billed amount: double the net price."]
        name = re.findall(r"for (\w+) at", question)[0]
        return [f"{name.capitalize()}: bill exactly {answer}."]

    task = ace.define_task("wrong_labels", train, label, test=test)
    ran = run(task, World(generate, teach), epochs=2, **settings)
    return Row("wrong labels, 10%", ran.right, 20, "20", ran.right == 20, ran.calls)


def resist_blanket_lesson(seed: int, words: tuple[str, str], **settings: Any) -> Row:
    """Let one sample in eight teach a lesson that would break the other seven."""
    allow, forbid = words
    items = ["alpha", "bravo", "charly", "delta", "echo", "foxtrot", "golf", "hotel"]
    train = [
        {"id": f"t{i}", "question": f"Is item {name} allowed?", "answer": "no" if name == "echo" else "yes"}
        for i, name in enumerate(items)
    ]
    test = [
        {"id": f"x{i}", "question": f"Is thing {name} allowed?", "answer": "yes"}
        for i, name in enumerate(items)
    ]

    def generate(request: Request) -> str:
        said = " ".join(request.bullets)
        return "no" if forbid in said else "yes" if allow in said else "dunno"

    def teach(request: Request) -> list[str]:
        assert request.sample is not None
        return [f"Items allowed: {allow}." if request.sample.data["answer"] == "yes" else f"Items: {forbid}."]

    task = ace.define_task("blanket", train, label, test=test)
    ran = run(task, World(generate, teach), seed=seed, **settings)
    batch = settings.get("batch_size", 8)
    name = f"blanket lesson ({forbid}), batch {batch}, seed {seed}"
    return Row(name, ran.right, 8, "8", ran.right == 8, ran.calls)


def learn_pagination(name: str, **settings: Any) -> Row:
    """Let one strategy be said in four wordings."""

    def rows(kinds: list[str]) -> list[dict[str, str]]:
        return [
            {"id": kind, "question": f"How many {kind} are in my account?", "answer": str(sum(PAGES[kind]))}
            for kind in kinds
        ]

    def generate(request: Request) -> str:
        assert request.sample is not None
        kind, said = request.sample.id, " ".join(request.bullets).lower()
        return str(sum(PAGES[kind]) if "until" in said and "empty" in said else PAGES[kind][0])

    kinds = list(PAGES)
    task = ace.define_task("pages", rows(kinds[:4]), label, test=rows(kinds[4:]))
    ran = run(task, World(generate, lambda request: PAGINATION[name]), **settings)
    return Row(f"pagination, {name}", ran.right, 2, "2", ran.right == 2, ran.calls)


def learn_from_scores(**settings: Any) -> Row:
    """Let a lesson raise a graded score from 0.2 to 0.9, which is never a pass."""
    train = [
        {"id": f"t{i}", "question": f"Write an essay about {x}."}
        for i, x in enumerate(["tea", "sea", "bees"])
    ]

    def judge(sample: Any, answer: str) -> float:
        return 0.9 if "cites sources" in answer else 0.2

    def generate(request: Request) -> str:
        return "essay that cites sources" if any("cite" in text for text in request.bullets) else "essay"

    task = ace.define_task("graded", train, judge)
    ran = run(
        task, World(generate, lambda request: "Essays: always cite your sources."), measure=False, **settings
    )
    return Row("graded score 0.2 -> 0.9", ran.bullets, 1, "1", ran.bullets == 1, ran.calls)


def run_all(formula: Path | None, only: str, **settings: Any) -> Iterator[Row]:
    """Yield the row of every world whose name holds `only`."""
    worlds: list[tuple[str, Callable[[], Row]]] = []
    if formula:
        headed = "{name}: work with the unrounded inputs, then round the final figure once."
        free = (
            "For questions on the {name} first list the inputs, then work with the unrounded inputs and "
            "round the final figure once."
        )
        worlds.append(("formula", lambda: learn_formula(formula, headed, **settings)))
        worlds.append(("formula free", lambda: learn_formula(formula, free, **settings)))
    for chance, most in ((0.1, 1), (0.3, 3), (0.5, 4)):
        worlds.append(
            (f"junk {chance}", lambda chance=chance, most=most: keep_junk(chance, 1, most, **settings))
        )
    for chance in (0.1, 0.3, 0.5):
        worlds.append((f"junk {chance} two", lambda chance=chance: keep_junk(chance, 2, 5, **settings)))
    worlds.append(("keys", lambda: keep_answer_keys(**settings)))
    worlds.append(("labels", lambda: learn_with_wrong_labels(**settings)))
    for words in (("blanket-yes", "blanket-no"), ("blanket-allow", "blanket-deny")):
        for seed in (0, 1, 2):
            for batch in (1, 8):
                worlds.append(
                    (
                        "blanket",
                        lambda seed=seed, words=words, batch=batch: resist_blanket_lesson(
                            seed, words, **{"batch_size": batch, **settings}
                        ),
                    )
                )
    for name in PAGINATION:
        worlds.append(("pagination", lambda name=name: learn_pagination(name, **settings)))
    worlds.append(("graded", lambda: learn_from_scores(**settings)))
    for name, world in worlds:
        if only in name:
            yield world()


def write_page(rows: Sequence[Row], profile: str) -> str:
    """Return the rows as a page with its date and command."""
    lines = [
        "# Scripted worlds",
        "",
        f"Measured on {date.today().isoformat()} by `python benchmarks/learning_worlds.py --formula PATH`,",
        f"profile: {profile}. No model: each world is a teacher and a pupil made of functions.",
        "",
        "| world | result | of | bar | calls |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        calls = ", ".join(f"{count} {role}" for role, count in sorted(row.calls.items()))
        mark = "" if row.ok else " (missed)"
        lines.append(f"| {row.world} | {row.value}{mark} | {row.possible} | {row.bar} | {calls} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the worlds, print a row for each, and return 1 where one misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=["small", "full"])
    parser.add_argument("--formula", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a folder for learning_worlds.md")
    options = parser.parse_args()
    settings = {"profile": options.profile} if options.profile else {}
    rows = []
    for row in run_all(options.formula, options.only, **settings):
        rows.append(row)
        if not options.json:
            mark = "ok  " if row.ok else "MISS"
            print(
                f"{mark} {row.world:45} {row.value:3} of {row.possible:3}  bar {row.bar:12} {row.calls}",
                flush=True,
            )
    if options.out:
        page = write_page(rows, options.profile or "default")
        (options.out / "learning_worlds.md").write_text(page, encoding="utf-8")
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
