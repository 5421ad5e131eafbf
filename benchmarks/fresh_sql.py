"""Draw a task that nobody has tuned for: `python benchmarks/fresh_sql.py SEED --out FOLDER`.

The same as `ace tasks add fresh_sql --seed SEED --out FOLDER`, whose options it takes.
"""

from __future__ import annotations

import sys

from ace.cli.main import main

if __name__ == "__main__":
    seed = [] if "--help" in sys.argv else ["--seed"]
    sys.argv = ["ace", "tasks", "add", "fresh_sql", *seed, *sys.argv[1:]]
    main()
