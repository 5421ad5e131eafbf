"""Writes this task and playbooks/shop_sql.reference.md from a seed; README.md says from which one.

    python tasks/shop_sql/generate.py 3

The database and the questions are drawn as in benchmarks/fresh_sql.py, with the words of `words.toml`.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.fresh_sql import draw_task, write_folder, write_reference

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SIZES = {"train": 60, "val": 30, "test": 60}
SHARE = 0.55  # 33 conventions


def generate(seed: int, folder: Path, reference: Path) -> None:
    """Write the task folder, and the playbook of somebody who knows everything."""
    words = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
    people = words.pop("people")
    world, splits = draw_task(words, people, SIZES, f"shop_sql {seed}", SHARE)
    write_folder(folder, "shop_sql", world, splits, "shop.sql")
    reference.write_text(write_reference(world), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise SystemExit("Give one whole number, as in: python tasks/shop_sql/generate.py 3")
    generate(int(sys.argv[1]), HERE, ROOT / "playbooks" / "shop_sql.reference.md")
