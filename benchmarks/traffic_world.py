"""The world of a day of traffic: a task, users who come back, and a model that answers at once.

Topics have secret numbers. The model looks its answer up in the lessons that it is shown, and its reflector
works a lesson out of the number in the feedback. Which user asks, and what is remembered of whom, follows
Zipf's law. Everything follows from numbers, so nothing of it is kept.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from ace.llm.client import Reply, Request, Role, Usage
from ace.playbook import Add
from ace.task import Sample, Task, define_task
from ace.testing import World

ATTRIBUTES = (
    "delivery address",
    "favourite desk",
    "language",
    "opening hours",
    "tone",
    "size",
    "name of the dog",
)
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty")
_SCENE = (  # some 60 words, as a user may write them
    "Hello, it is me again. The van came early this morning, and half of what was on it has no label"
    " that can be read: the rain got into the boxes last night, and the ink has run. I have put everything"
    " that belongs to us on the long table by the door, and now I go through it one by one, before the next"
    " van comes."
)
_THOUGHTS = (  # some 50 words, as a model may write them
    "The kind of the parcel stands on its side, so it can be sorted without its label. I look for the kind"
    " in what is known of this desk, and take the newest line that speaks of it. Where a line gives a half"
    " of a number, the shelf is twice that."
)
_MOST_REMEMBERED = 40  # memories of the user of whom there are most
_PER_TOKEN = 4  # characters, as for every scripted model here


def make_task(topics: int) -> Task:
    """Return the task: a sample for each topic, whose right answer is the number of its shelf."""
    rows = []
    for topic in range(topics):
        question = f"{_SCENE} A parcel of kind K{topic:04} has come back: which shelf does it go to?"
        rows.append({"id": f"k{topic:04}", "question": question, "answer": str(70_002 + 14 * topic)})
    instructions = "You work at a parcel desk. The last line of your answer is the number of the shelf alone."
    return define_task(
        "parcels", rows, "exact", instructions=instructions, memories=True, extract="last line"
    )


def write_lesson(topic: int, answer: str) -> str:
    """Return what is to be learned of a topic. It is not the answer itself, which would prove nothing."""
    half = int(answer) // 2
    return f"K{topic:04} means twice {half}, as the lists of the north hall have it since the last move."


def make_lessons(task: Task, known: int) -> tuple[Add, ...]:
    """Return what a playbook holds that knows the first topics."""
    lessons = []
    for topic, sample in enumerate(task.train[:known]):
        text = write_lesson(topic, str(sample.data["answer"]))
        lessons.append(Add(f"lesson-{topic}", "conventions", text))
    return tuple(lessons)


def answer_question(request: Request) -> str:
    """Answer with the number that a bullet on the topic says; without one nothing is known."""
    topic = _find_topic(request)
    for content in request.bullets:
        if content.startswith(f"K{topic:04} means twice "):
            return f"{_THOUGHTS}\n{2 * int(content.split()[3].rstrip(','))}"
    return f"{_THOUGHTS}\nI do not know that shelf."


def word_lesson(request: Request) -> list[str]:
    """Return the lesson that follows from the right answer in the feedback, where there is one."""
    expected = request.feedback.expected if request.feedback else ""
    return [write_lesson(_find_topic(request), expected)] if expected.isdecimal() else []


def _find_topic(request: Request) -> int:
    assert request.sample is not None
    return int(request.sample.question.split(" kind K")[1][:4])


class InstantModel(World):
    """Answer at once, and keep no request. When it was last asked, and replied, is in `asked` and `replied`.

    The beginning of a prompt counts as found in the provider's cache if it is that of the request before: a
    system message that did not change. Tokens are four characters each.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the time from `clock`, a function without arguments that returns seconds."""
        super().__init__(answer_question, word_lesson, model="instant")
        self.clock = clock
        self.asked = self.replied = 0.0
        self._prefix = ""

    def ask(self, request: Request) -> Reply:
        """Answer one request, and count what of its prompt was in the cache."""
        if request.role is not Role.GENERATOR:
            reply = super().ask(request)
            self.requests.clear()
            return reply
        self.asked = self.clock()
        text = answer_question(request)
        prefix = request.messages[0].content
        size = sum(len(message.content) for message in request.messages)
        cached = len(prefix) if prefix == self._prefix else 0
        self._prefix = prefix
        tokens = [characters // _PER_TOKEN for characters in (size, cached, len(text))]
        self.replied = self.clock()
        return Reply(text, usage=Usage(1, *tokens, cost=None))


@dataclass(frozen=True, slots=True)
class Users:
    """Draw users, of whom the first comes most often: the one of rank n comes 1/n times as often."""

    count: int
    weights: Sequence[float] = field(init=False, repr=False, compare=False)
    """Sums of 1/n."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(accumulate(1 / rank for rank in range(1, self.count + 1))))

    @classmethod
    @cache
    def of(cls, count: int) -> Users:
        """Return so many users; those of one number are made once."""
        return cls(count)

    def draw(self, chance: random.Random) -> int:
        """Return the number of a user, from 0."""
        return bisect_left(self.weights, chance.random() * self.weights[-1])

    def count_memories(self, user: int) -> int:
        """Return how many memories there are of a user before the day: from 40 down to 2."""
        return max(2, min(_MOST_REMEMBERED, round(_MOST_REMEMBERED / (1 + user) ** 0.25)))


@cache
def name_user(user: int) -> str:
    """Return the name under which a user is known."""
    return f"user-{user:07}"


def write_memory(user: int, number: int) -> tuple[str, str]:
    """Return attribute and value of the memory of a user with this number, from 0.

    A user has some attributes: of those that come again the newer closes the older.
    """
    attribute = ATTRIBUTES[number % len(ATTRIBUTES)]
    if number % 3:
        attribute = f"{attribute} of {WORDS[number // len(ATTRIBUTES) % len(WORDS)]}"
    word, other = WORDS[(user + number) % len(WORDS)], WORDS[(user + 3 * number) % len(WORDS)]
    return attribute, f"{word} {other} lane {100 + user % 900}, floor {number}"


def draw_sample(task: Task, users: Users, name: str, chance: random.Random) -> tuple[Sample, int]:
    """Return a question of some user under a name of its own, and the number of the user."""
    user = users.draw(chance)
    asked = chance.choice(task.train)
    return Sample(name, asked.question, {**asked.data, "user": name_user(user)}), user
