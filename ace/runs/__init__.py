"""Records and statistics of runs: metrics, cost, effects of bullets, and the report of a run."""
