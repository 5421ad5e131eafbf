"""The two finance tasks of ACE: Formula, a number to be worked out, and FiNER, tags for entities."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData
from ace.task.samples import normalize_question

FORMULA_FILES = {"train": "formula_train_subset_500.jsonl", "val": "formula_val_subset_300.jsonl"}
_DEFECTS = "formula_label_defects.json"
_FINER = "finer_val_batched_500_samples.jsonl"
_FIELDS = {"context": str, "target": str}

# It forbids to work the answer out, which is what a small model needs. It is the same in every row.
_NO_WORK = re.compile(r" ?Answer with a numerical answer with 2 decimal places and with no expl[^.]*\.")
_FORMULA = '''name = "formula"
environment = "answer"
max_tokens = 300
instructions = """
Work out the answer in at most four short lines: the formula with the numbers in it, then each step. Then
write the answer alone on the last line: one number with 2 decimal places, no unit."""

[answer]
scorer = "numeric"
extract = "last line"
'''
_TAGS = re.compile(r"tags options: ,?(.*?)\. Answer the following", re.DOTALL)
_ASKED = re.compile(r'^\d+\. (What is best tag for entity "(?:.*?)" in sentence: "(.*)")$', re.MULTILINE)
_BATCH = """Answer each question with one US GAAP tag of the options, in the order of the questions, separated
by commas, and with nothing else."""
_ONE = "Answer with one US GAAP tag of the options, and with nothing else."


def make_formula(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the questions of the training file, and those of the validation file to test on."""
    rows: dict[str, list[Row]] = {}
    for split, file in FORMULA_FILES.items():
        rows[split] = []
        for place, entry in source.read_rows(file, _FIELDS).items():
            question = _NO_WORK.sub("", entry["context"]).strip().removesuffix("Answer:").strip()
            rows[split].append({"id": f"{split}-{place}", "question": question, "answer": entry["target"]})
    return TaskDraft(
        toml=_FORMULA, learning=rows["train"], held_out=rows["val"], wrong=read_wrong_targets(source)
    )


def read_wrong_targets(source: SourceData) -> dict[str, str]:
    """Return why the target of a Formula row is wrong, by its id; none where the folder has no list."""
    wrong: dict[str, str] = {}
    for defect in source.read_list(_DEFECTS):
        wrong[f"{defect['split']}-{defect['index']}"] = defect["verdict"]
    return wrong


def make_finer(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return rows of four questions as they are published, or of one question each.

    The tags, the same for all rows, are part of the instructions. Rows that share a sentence are one group.
    """
    entries = source.read_rows(_FINER, _FIELDS)
    first = _TAGS.search(next(iter(entries.values()))["context"])
    tags = first[1] if first else ""
    rows: list[Row] = []
    sentences: list[Sequence[str]] = []
    left_out: dict[str, str] = {}
    for place, entry in entries.items():
        asked = _ASKED.findall(entry["context"])
        labels = [label.strip() for label in entry["target"].split(",")]
        problem = _find_problem(entry["context"], asked, labels, tags)
        if problem:
            left_out[f"finer-{place}"] = problem
            continue
        questions = [question for question, _ in asked]
        if options.single:
            for number, (question, label) in enumerate(zip(questions, labels, strict=True), start=1):
                rows.append({"id": f"finer-{place}-{number}", "question": question, "answer": label})
                sentences.append([asked[number - 1][1]])
        else:
            question = "\n".join(f"{number}. {text}" for number, text in enumerate(questions, start=1))
            rows.append({"id": f"finer-{place}", "question": question, "answer": ",".join(labels)})
            sentences.append([sentence for _, sentence in asked])
    for row, group in zip(rows, _find_groups(sentences), strict=True):
        row["group"] = group
    form = _ONE if options.single else _BATCH
    instructions = f"You tag entities in sentences of financial reports. Options: {tags}.\n{form}"
    toml = "\n".join(
        [
            f'name = "{"finer_single" if options.single else "finer"}"',
            'environment = "answer"',
            "max_tokens = 200",
            f"instructions = {json.dumps(instructions, ensure_ascii=False)}",
            "",
            "[answer]",
            f'scorer = "{"exact" if options.single else "labels"}"',
        ]
    )
    return TaskDraft(toml=toml, learning=rows, group="group", left_out=left_out)


def _find_problem(context: str, asked: Sequence[object], labels: Sequence[str], tags: str) -> str:
    """Return why a row of FiNER cannot be used; "" for one that can."""
    options = _TAGS.search(context)
    if not options or options[1] != tags:
        return "its options are not those of the first row"
    if not asked or len(asked) != len(labels):
        return f"it has {len(asked)} questions and {len(labels)} tags"
    strange = sorted(set(labels) - set(tags.split(",")))
    if strange:
        return f"its right answer {strange[0]!r} is none of the options"
    return ""


def _find_groups(sentences: Sequence[Sequence[str]]) -> list[int]:
    """Return the group of each row, a number: rows that share a sentence, be it by others, have the same."""
    groups = list(range(len(sentences)))
    homes: dict[str, int] = {}  # the first row that has a sentence
    for place, texts in enumerate(sentences):
        for text in texts:
            other = groups[homes.setdefault(normalize_question(text), place)]
            own = groups[place]
            if other != own:
                groups = [other if group == own else group for group in groups]
    return groups
