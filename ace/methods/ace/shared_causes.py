"""Reflect on several failures of a batch together: what they share is where strategies come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ace.methods.ace.pool import Pool
from ace.methods.ace.proposals import changes_use
from ace.methods.ace.reflection import FailureType
from ace.methods.ace.search import Search
from ace.methods.ace.state import AceState, Lesson
from ace.methods.protocol import Lab

_FEWEST, _MOST = 3, 5  # failures that are explained together
_TAUGHT_NOTHING = frozenset({FailureType.CAPABILITY, FailureType.BAD_LABEL})


def explain_together(lessons: Sequence[Lesson], state: AceState, lab: Lab) -> list[Lesson]:
    """Return the lessons, with what one reflection on several failures has taught added to the first of them.

    They are those of a batch that taught nothing alone, near each other. One call a batch at most.
    """
    open_places = []  # of failures that were reflected on, and taught nothing that is in use
    for place, lesson in enumerate(lessons):
        failure = lesson.search.failure if lesson.search else None
        if failure is None or failure in _TAUGHT_NOTHING or lesson.suspect or lesson.trial.sample.owner:
            continue
        if not any(map(changes_use, lesson.proposals)):
            open_places.append(place)
    if len(open_places) < _FEWEST:
        return list(lessons)
    first = open_places[0]
    by_id = {lessons[place].trial.sample.id: place for place in open_places}
    own = lessons[first].trial.sample
    near = [by_id[name] for name in state.map.rank(own, by_id)][: _MOST - 1]
    alone, others = lessons[first].search, [lessons[place].trial for place in near]
    if alone is None:
        return list(lessons)
    pool = alone.prover.pool
    helpers = tuple(trial.sample for trial in others)
    search = Search(
        reflect=alone.reflect,
        prover=replace(alone.prover, pool=Pool(helpers, pool.guards, pool.grades)),
        earlier=[*alone.earlier, *alone.refuted],
        others=others,
        reader=alone.reader,
        terms=alone.terms,
        first_draw=lab.settings.tries,
    )
    with lab.counting_for(lab.bench_of(lessons[first].trial).calls_for):
        proposals = tuple(search.propose(1))
    alone.refuted += search.refuted
    alone.undecided += search.undecided
    together = list(lessons)
    together[first] = replace(
        lessons[first],
        proposals=(*lessons[first].proposals, *proposals),
        witnesses={**lessons[first].witnesses, **search.witnesses},
    )
    return together
