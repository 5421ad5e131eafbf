"""Draws train, val and test from a seed, so that no question stands in two of them.

Questions that differ in case, spaces or punctuation only are one question, as `ace tasks check` has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from ace.task.makers.draft import SPLITS, Row
from ace.task.samples import normalize_question

MOST: Mapping[str, int] = {"train": 200, "val": 50, "test": 100}
"""What a split gets at most where nobody asks for more: an evening's work of a small model, not a week's."""

_SHARES = {"test": 0.25, "val": 0.1}  # of the questions; the rest is train
_FEWEST = {"test": 4, "val": 20}  # questions from which on such a split is drawn


def join_repeated(rows: Sequence[Row], places: Mapping[str, str]) -> tuple[list[Row], dict[str, str]]:
    """Return the rows without repetitions, and why each other one is left out, by its place.

    The same question with the same answer counts once. With two answers it is asked for neither: nobody can
    say which is right. `places` are those of the rows by their ids.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(normalize_question(row["question"]), []).append(row)
    unique: list[Row] = []
    left_out: dict[str, str] = {}
    for group in groups.values():
        answers = {str(row["answer"]).casefold() for row in group}
        first = places[group[0]["id"]]
        if len(answers) == 1:
            unique.append(group[0])
            for row in group[1:]:
                left_out[places[row["id"]]] = f"the same question and answer as {first}"
            continue
        for row in group:
            others = [twin for twin in group if twin["answer"] != row["answer"]]
            left_out[places[row["id"]]] = f"the same question has another answer in {places[others[0]['id']]}"
    return unique, left_out


def draw_splits(
    rows: Sequence[Row], sizes: Mapping[str, int], seed: int, *, named: Mapping[str, str] | None = None
) -> dict[str, list[Row]]:
    """Return disjoint splits of rows whose questions all differ, in the order of the rows.

    A row's place is drawn from the seed and its question alone. So a file that grows, or that is sorted in
    another way, keeps the test questions it had as far as sizes allow. `sizes` are what somebody asked for;
    else test gets a quarter and val a tenth, where there are enough, within `MOST`. `named` is the split of
    each row by its id, where the file says so: then no share is taken, and only sizes are kept.
    """

    def draw(row: Row) -> bytes:
        key = f"{seed} {normalize_question(row['question'])}"
        return blake2b(key.encode(errors="replace"), digest_size=16).digest()

    pool = sorted(rows, key=draw)
    splits: dict[str, list[Row]] = {}
    for split in ("test", "val", "train"):
        wanted = MOST[split]
        fitting = pool
        if named:
            fitting = [row for row in pool if named[row["id"]] == split]
        elif split != "train":
            share = round(_SHARES[split] * len(rows)) if len(rows) >= _FEWEST[split] else 0
            wanted = min(share, wanted)
        splits[split] = fitting[: sizes.get(split, wanted)]
        taken = {row["id"] for row in splits[split]}
        pool = [row for row in pool if row["id"] not in taken]
    places = {row["id"]: place for place, row in enumerate(rows)}
    return {split: sorted(splits[split], key=lambda row: places[row["id"]]) for split in SPLITS}
