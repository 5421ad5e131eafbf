"""Playbook to delta: merging what says the same, settling what contradicts, retiring what harms.

Needs no model, database or network; embeddings are passed in as a function.

    refinement        duplicates merged, contradictions found
    similarity_index  which bullets are compared at all
    conflict          two lessons compared
    lesson_reading    a lesson as facts and words
    lexicon           the English that this knows
    settle            which side of a contradiction stays
    retire            what harms, or nothing needed
    lost_details      what a summary must not lose
"""

from ace.refine.conflict import Conflict, Kind, Likeness, compare
from ace.refine.lost_details import find_lost_facts
from ace.refine.refinement import Refinement, refine_playbook
from ace.refine.retire import retire_bullets
from ace.refine.settle import Judge, Ruling, judge_by_evidence, settle_conflicts
from ace.refine.similarity_index import Index

__all__ = [
    "Conflict",
    "Index",
    "Judge",
    "Kind",
    "Likeness",
    "Refinement",
    "Ruling",
    "compare",
    "find_lost_facts",
    "judge_by_evidence",
    "refine_playbook",
    "retire_bullets",
    "settle_conflicts",
]
