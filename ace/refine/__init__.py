"""Playbook to delta: merging what says the same, settling what contradicts, retiring what harms.

Needs no model, database or network; embeddings are passed in as a function.
"""

from ace.refine.conflict import Conflict, Likeness, compare
from ace.refine.lost_details import lost_facts
from ace.refine.refinement import Refined, refined
from ace.refine.retire import retired
from ace.refine.settle import Judge, Settled, both_wait, by_evidence, settled
from ace.refine.similar import same_meaning, same_words, topic
from ace.refine.similarity_index import Index

__all__ = [
    "Conflict",
    "Index",
    "Judge",
    "Likeness",
    "Refined",
    "Settled",
    "both_wait",
    "by_evidence",
    "compare",
    "lost_facts",
    "refined",
    "retired",
    "same_meaning",
    "same_words",
    "settled",
    "topic",
]
