"""Models: weights that are here, and an endpoint that is asked once. Nothing is downloaded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec

from ace.cli.doctor.finding import Finding, Health, Topic
from ace.errors import AceError

_PATIENCE = 30.0  # seconds for one word
_SLOW = 8.0


def check_weights() -> Iterator[Finding]:
    """Yield which embedded models are here, by the sizes of their files, and whether they can run."""
    from ace.llm import list_models
    from ace.llm.connect import LOCAL
    from ace.llm.local.weights import ENVIRONMENT, find, own_file
    from ace.text.sizes import format_size

    for model in list_models():
        expected = format_size(model.size)
        if model.path is None:
            fix = f"ace models pull {model.name}; `ace learn` also fetches it when it needs it"
            text = f"{model.name} is not fetched ({expected})"
            health = Health.NOTE
            named = own_file(find(model.name.removeprefix(LOCAL)))
            if named is not None:
                health = Health.WARNING
                text = f"{ENVIRONMENT} names {named}, which is no file"
                fix = f"correct {ENVIRONMENT}, or unset it"
            yield Finding(Topic.WEIGHTS, health, text, fix)
            continue
        size = model.path.stat().st_size
        if size != model.size:
            text = f"{model.path} has {size:,} bytes, and {model.name} has {model.size:,}"
            yield Finding(Topic.WEIGHTS, Health.WARNING, text, f"ace models pull {model.name}")
        else:
            yield Finding(Topic.WEIGHTS, Health.OK, f"{model.name} is here ({expected}): {model.path}")
    if find_spec("xllamacpp") is None:
        fix = "pip install 'ace-engine[local]', or give --model a name that is served elsewhere"
        yield Finding(Topic.WEIGHTS, Health.NOTE, "no embedded model can run here: xllamacpp is missing", fix)


def check_model(name: str, api_base: str | None) -> Iterator[Finding]:
    """Yield whether a model answers one word, and how long that takes the first time and the second.

    It is asked twice, which may cost a few tokens. A model that does not answer is BROKEN.
    """
    from ace.llm import Message, Request, Retry, Role, connect

    began = time.perf_counter()
    try:
        with connect(
            name, api_base=api_base, retry=Retry(attempts=1), slots=1, context=1024, fetch=False
        ) as client:
            client.timeout = _PATIENCE
            ready = time.perf_counter() - began
            seconds = []
            for question in ("Say OK.", "Say OK again."):
                messages = (Message("system", "You answer in one word."), Message("user", question))
                started = time.perf_counter()
                client.complete(Request(role=Role.GENERATOR, messages=messages, seed=1, max_tokens=16))
                seconds.append(time.perf_counter() - started)
    except AceError as error:
        fix = error.hint or "`ace models check` says more"
        yield Finding(Topic.MODEL, Health.BROKEN, f"no answer from {name}: {error.message}", fix)
        return
    first, second = seconds
    text = f"{name} answered in {first:.1f} s, then in {second:.1f} s; it took {ready:.1f} s to get ready"
    if second > _SLOW:
        fix = "try it with --limit 10 first; a smaller model, a nearer server or more --workers are faster"
        yield Finding(Topic.MODEL, Health.WARNING, f"{text}: that is slow", fix)
    else:
        yield Finding(Topic.MODEL, Health.OK, text)
