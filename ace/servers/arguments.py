"""What the tools of the server take: types with their bounds, and what a model reads of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

LONGEST_TEXT = 20_000
"""The most characters of a question, an answer, or a text about one."""

LONGEST_LESSON = 1_500
"""The most characters of a lesson."""

LONGEST_REASON = 500
"""The most characters of the reason for one."""

LONGEST_SECTION = 80
"""The most characters of a section's name."""

LONGEST_NAME = 200
"""The most characters of a name or an id."""

MOST_BUDGET = 100_000
"""The most tokens of a context."""

MOST_ROWS = 100
"""The most rows of a list."""

_PLAYBOOK = "The name of a playbook; needed only where several are served (list_playbooks)."
_LESSON = f"The lesson: what to do, and when. At most {LONGEST_LESSON:,} characters."
_REASON = f"Why it should be known. At most {LONGEST_REASON:,} characters."
_SECTION = f"Its section, as strategies or pitfalls. At most {LONGEST_SECTION} characters."

_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
_Short = Annotated[str, Field(max_length=LONGEST_NAME)]

Question = Annotated[_Text, Field(description="What is to be done, in full.")]
User = Annotated[_Short, Field(description="For whom, where what is remembered of them matters.")]
Budget = Annotated[
    int, Field(ge=0, le=MOST_BUDGET, description="The most tokens of the context; 0 for the default.")
]
PlaybookName = Annotated[_Short, Field(description=_PLAYBOOK)]
ContextId = Annotated[_Short, Field(min_length=1, description="The context_id of get_context.")]
Outcome = Annotated[
    Literal["right", "wrong", "unknown"], Field(description="Whether the answer was right, if that is known.")
]
Score = Annotated[
    float | None, Field(ge=0, le=1, description="How good the answer was, from 0 to 1, where 1 is right.")
]
Remark = Annotated[_Text, Field(description="What was wrong or right with it, in words.")]
Expected = Annotated[_Text, Field(description="The right answer, if it is known.")]
Answer = Annotated[_Text, Field(description="The answer that was given; the first report keeps it.")]
Query = Annotated[_Text, Field(min_length=1, description="Words, or a question.")]
Rows = Annotated[int, Field(ge=1, le=MOST_ROWS, description="How many, at most.")]
VersionName = Annotated[
    int | _Short, Field(description="A number, a branch or a tag; empty for the newest version.")
]

# Their own, smaller bounds are those of `ace.servers.lessons`, which says by which rule a lesson is refused.
Section = Annotated[_Text, Field(description=_SECTION)]
Content = Annotated[_Text, Field(description=_LESSON)]
WhyKnown = Annotated[_Text, Field(description=_REASON)]
