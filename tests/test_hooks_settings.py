"""Hooks in the settings of a coding agent: ours go in and out, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InputError
from ace.hooks.coding_agent import CLAUDE_CODE, CODEX, EVENTS, Moment
from ace.hooks.settings_text import find_hooks, install_hooks, remove_hooks
from ace.text.json_edit import append_value, read_json, remove_value, replace_value

FOREIGN = {"hooks": [{"type": "command", "command": "notify-send hi", "x": 1}], "matcher": "startup"}
LAYOUTS: list[Callable[[Any], str]] = [
    lambda value: json.dumps(value, indent=2) + "\n",
    lambda value: json.dumps(value, indent=4, ensure_ascii=False),
    lambda value: json.dumps(value, indent="\t").replace("\n", "\r\n"),
    lambda value: json.dumps(value),
    lambda value: json.dumps(value, separators=(",", ":")) + "\n\n",
]
KEYS = st.text(max_size=6).filter(lambda key: key != "hooks")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
EVENT_NAMES = st.sampled_from(["SessionStart", "SessionEnd", "Stop", "PreToolUse"])


def commands(playbook: str = "/p/a b.db") -> dict[Moment, list[str]]:
    return {moment: ["/bin/ace", "hook", moment, "claude-code", "--playbook", playbook] for moment in Moment}


def install(text: str, playbook: str = "/p/a b.db") -> str:
    return install_hooks(text, CLAUDE_CODE, commands(playbook), "settings.json")


def remove(text: str) -> str:
    return remove_hooks(text, CLAUDE_CODE, "settings.json")


@st.composite
def settings_texts(draw: st.DrawFn) -> str:
    settings = draw(st.dictionaries(KEYS, VALUES, max_size=4))
    if draw(st.booleans()):
        groups = st.lists(st.just(FOREIGN), min_size=1, max_size=2)
        events = draw(st.dictionaries(EVENT_NAMES, groups, min_size=1, max_size=3))
        place = draw(st.integers(0, len(settings)))
        items = list(settings.items())
        settings = dict([*items[:place], ("hooks", events), *items[place:]])
    return draw(st.sampled_from(LAYOUTS))(settings)


@given(settings_texts())
def test_what_goes_in_comes_out_and_the_rest_stays_byte_for_byte(text: str) -> None:
    installed = install(text)
    assert {hook.moment for hook in find_hooks(installed, CLAUDE_CODE, "")} == set(Moment)
    assert install(installed) == installed
    assert remove(installed) == text
    before, after = json.loads(text), json.loads(installed)
    assert {k: v for k, v in after.items() if k != "hooks"} == {
        k: v for k, v in before.items() if k != "hooks"
    }
    for event, groups in before.get("hooks", {}).items():
        assert after["hooks"][event][: len(groups)] == groups


@given(settings_texts())
def test_another_playbook_replaces_the_command_alone(text: str) -> None:
    moved = install(install(text), "/other.db")
    assert [hook.words[-1] for hook in find_hooks(moved, CLAUDE_CODE, "")] == ["/other.db"] * 2
    assert install(moved) == install(text)


def test_an_empty_file_becomes_settings() -> None:
    settings = json.loads(install(""))
    assert set(settings["hooks"]) == set(EVENTS.values())
    (group,) = settings["hooks"]["SessionStart"]
    (hook,) = group["hooks"]
    assert hook["type"] == "command" and hook["command"].endswith("--playbook '/p/a b.db'")
    assert remove(install("")).strip() == "{}"


def test_only_our_command_leaves_a_group_that_somebody_extended() -> None:
    settings = json.loads(install("{}"))
    settings["hooks"]["SessionStart"][0]["hooks"].append({"type": "command", "command": "date"})
    settings["hooks"]["SessionEnd"][0]["matcher"] = "clear"
    rest = json.loads(remove(json.dumps(settings)))
    assert rest == {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "date"}]}]}}


@pytest.mark.parametrize(
    "command",
    [
        "echo ace hook start claude-code",
        "/bin/ace hook start codex --playbook x",
        "/bin/ace hooked start claude-code",
        "/bin/space hook start claude-code",
        "wrapper /bin/ace hook start claude-code",
        "ace hook start 'claude-code",
        7,
    ],
)
def test_what_is_not_ours_stays(command: object) -> None:
    text = json.dumps({"hooks": {"SessionStart": [{"hooks": [{"command": command}, "odd"]}, 3], "Stop": 5}})
    assert remove(text) == text and find_hooks(text, CLAUDE_CODE, "") == []


def test_two_agents_do_not_touch_each_other() -> None:
    codex = {moment: ["/bin/ace", "hook", moment, "codex"] for moment in Moment}
    both = install_hooks(install("{}"), CODEX, codex, "")
    assert remove_hooks(both, CODEX, "") == install("{}")
    assert len(find_hooks(both, CODEX, "")) == len(find_hooks(both, CLAUDE_CODE, "")) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1"),
        ('{"a": 1,}', "line 1"),
        ('{\n  // mine\n  "a": 1\n}', "line 2"),
        ("[]", "no object"),
        ('{"hooks": []}', "'hooks' is no object"),
        ('{"hooks": null}', "'hooks' is no object"),
        ('{"hooks": {"SessionEnd": {}}}', "'SessionEnd' that is no list"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ("\ufeff{}", "BOM"),
    ],
)
def test_settings_of_another_form_are_refused(text: str, problem: str) -> None:
    for edit in (install, remove):
        with pytest.raises(InputError, match=r"settings\.json") as caught:
            edit(text)
        assert problem in str(caught.value) and caught.value.hint


def test_values_are_edited_where_they_stand() -> None:
    text = '{"a": [1,\n 2], "b": "é"}'
    assert replace_value(text, ("a", 1), "ü") == '{"a": [1,\n "ü"], "b": "é"}'
    assert append_value(text, ("a",), 3) == '{"a": [1,\n 2,\n 3], "b": "é"}'
    assert remove_value(text, ("a", 0)) == '{"a": [2], "b": "é"}'
    assert remove_value(text, ("b",)) == '{"a": [1,\n 2]}'
    assert read_json(append_value("[]", (), {"x": [1]})) == [{"x": [1]}]
    with pytest.raises(KeyError):
        replace_value(text, ("c",), 1)
