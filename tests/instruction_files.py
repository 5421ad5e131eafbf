"""Short files in the manner of those that people write for coding agents, and the bullets each one holds."""

from __future__ import annotations

FILES: dict[str, tuple[str, list[str]]] = {
    "AGENTS.md: prose around lists": (
        "# Guide\n\nWe ship on Fridays.\n\n## Style\n\n- Tabs in Go.\n- Short functions.\n\nLint first.\n",
        ["Tabs in Go.", "Short functions."],
    ),
    "AGENTS.md: commands in fences": (
        "# Dev\n\n## Setup\n\n```sh\n# install\n- not a bullet\nmake\n```\n\n* Build before you push.\n",
        ["Build before you push."],
    ),
    "CLAUDE.md: nested lists": (
        "# Memory\n\n- Testing\n  - run `pytest -q`\n    - never the slow ones\n"
        "- Docs\n    1. write\n    2. check\n",
        ["Testing\n- run `pytest -q`\n  - never the slow ones", "Docs\n1. write\n2. check"],
    ),
    "SKILL.md: YAML front matter": (
        "---\nname: notes\ndescription: >\n  Writes notes.\nallowed-tools:\n- Read\n---\n"
        "\n# Notes\n\n- Name breaks.\n",
        ["Name breaks."],
    ),
    "SKILL.md: TOML front matter": (
        '+++\ntitle = "x"\ntags = ["a"]\n+++\n\n1. First look.\n2. Then cut.\n',
        ["First look.", "Then cut."],
    ),
    "rules.mdc: globs, then rules": (
        '---\ndescription: React\nglobs: ["**/*.tsx"]\nalwaysApply: false\n---\n- Hooks only.\n- No `any`.\n',
        ["Hooks only.", "No `any`."],
    ),
    ".cursorrules: nothing but prose": (
        "You are a careful Rust engineer.\nPrefer iterators.\n\nNever use unwrap in libraries.\n",
        ["You are a careful Rust engineer.\nPrefer iterators.", "Never use unwrap in libraries."],
    ),
    ".cursorrules: headings, prose and code": (
        "# Errors\n\nWrap errors like so:\n\n```go\nreturn err\n```\n\n# Names\n\nNo stutter.\n",
        ["Wrap errors like so:\n\n```go\nreturn err\n```", "No stutter."],
    ),
    ".cursorrules: tags of a prompt": (
        "<role>\nA reviewer.\n</role>\n<rules>\n- Be kind.\n- Be brief.\n</rules>\n",
        ["Be kind.", "Be brief."],
    ),
    ".cursorrules: tags with blank lines": (
        "<rules>\n\n- One.\n- Two\n  goes on.\n\n</rules>\n\n<examples>\n\nfoo\n\n</examples>\n",
        ["One.", "Two\ngoes on."],
    ),
    "copilot-instructions.md: bold lead-ins": (
        "## Conventions\n\n- **Imports**: sorted.\n- **Dates**: ISO 8601,\nalways UTC.\n",
        ["**Imports**: sorted.", "**Dates**: ISO 8601,\nalways UTC."],
    ),
    "copilot-instructions.md: a table of commands": (
        "# Commands\n\n| What | How |\n| --- | --- |\n| test | `make t` |\n\n- Run all of them.\n",
        ["Run all of them."],
    ),
    "testing.instructions.md: task list": (
        "---\napplyTo: '**/*.py'\n---\n# Before a merge\n\n"
        "- [ ] Tests pass.\n- [x] Docs are built.\n- [link](a.md) works.\n",
        ["Tests pass.", "Docs are built.", "[link](a.md) works."],
    ),
    "setext headings": (
        "Our rules\n=========\n\nStyle\n-----\n\n+ Four spaces.\n+ No tabs.\n",
        ["Four spaces.", "No tabs."],
    ),
    "reference links": (
        "- Follow the [guide][g].\n- See [API][].\n\n"
        "[g]: https://example.org/guide\n[API]: ./api.md 'The API'\n",
        ["Follow the [guide][g].", "See [API][]."],
    ),
    "comments of all kinds": (
        "<!-- generated\n- not a rule\n-->\n\n- A rule. <!-- why: 12 -->\n\n<!-- end -->\n",
        ["A rule. <!-- why: 12 -->"],
    ),
    "HTML blocks": (
        "<details>\n<summary>More</summary>\n\n- Inside.\n\n</details>\n\n"
        "<div align='center'>\n- not Markdown\n</div>\n",
        ["Inside."],
    ),
    "quotations and rules": (
        "> **Note**\n> - quoted\n\n---\n\n- Mine.\n\n***\n\nEnd.\n",
        ["Mine."],
    ),
    "ordered procedure with code": (
        "1. Start:\n\n   ```sh\n   # comment\n   run\n   ```\n\n2. Stop.\n3) Another list.\n",
        ["Start:\n\n```sh\n# comment\nrun\n```", "Stop.", "Another list."],
    ),
    "line ends and mark of another system": (
        "\ufeff# Windows\r\n\r\n- One.\r\n- Two\r\n  more.\r\n",
        ["One.", "Two\nmore."],
    ),
    "tabs": (
        "-\tTabbed.\n\t- nested\n-\tWith code:\n\n\t\tx = 1\n\n- A\tB\n",
        ["Tabbed.\n- nested", "With code:\n\n    x = 1", "A\tB"],
    ),
    "loose and wide lists": (
        "*   Wide\n\n    second paragraph\n\n*   Next\n\n    > quoted\n",
        ["Wide\n\nsecond paragraph", "Next\n\n> quoted"],
    ),
    "a fence that never ends": (
        "- Rule.\n\n~~~\n- x\n# y\n",
        ["Rule."],
    ),
    "an example of JSON Lines": (
        'Send this:\n\n```json\n{"content": "x"}\n{"content": "y"}\n{"content": "z"}\n```\n\n- Quote it.\n',
        ["Quote it."],
    ),
    "names in brackets": (
        "[Name] is the customer.\n[Date] is a day.\n\n- Greet [Name].\n- Thank.\n- Leave.\n",
        ["Greet [Name].", "Thank.", "Leave."],
    ),
    "an example of our own form": (
        "# How to\n\n```md\n<!-- ace:begin -->\n- x <!-- id=a-1 -->\n<!-- ace:end -->\n```\n\n- Use it.\n",
        ["Use it."],
    ),
    "languages": (
        "# 规则\n\n- 先跑测试。\n- テストを書く。\n\nยังไม่จบ\n",
        ["先跑测试。", "テストを書く。"],
    ),
    "headings alone in between": (
        "# A\n\n## B\n\n### C ###\n\n- x\n\n## D\n",
        ["x"],
    ),
}
