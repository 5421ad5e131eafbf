"""One SQLite file for each playbook: its versions, and the runs that made them."""

from ace.store.records import Commit, Proposal, Run, Step, Version
from ace.store.store import Store

__all__ = ["Commit", "Proposal", "Run", "Step", "Store", "Version"]
