"""`ace init`: from a table to a task folder that can be learned from. Every file here is a real one."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from ace.task import check_task, load_task
from ace.task.samples import iterate_samples, normalize_question
from tests.cli import Ace, Done
from tests.on_terminal import Terminal

QUEUES = ("billing", "shipping", "returns")


def tickets(count: int = 40) -> list[tuple[str, str, str]]:
    return [
        (f"t-{n}", f"Ticket {n}: where is my {QUEUES[n % 3]} thing?", QUEUES[n % 3]) for n in range(count)
    ]


def write_csv(path: Path, rows: Any, header: str = "id,text,queue", sep: str = ",", **how: Any) -> Path:
    lines = [header.replace(",", sep), *(sep.join(row) for row in rows)]
    path.write_bytes("\n".join(lines).encode(how.get("encoding", "utf-8")))
    return path


def report(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


def refused(done: Done, *words: str) -> None:
    assert done.code == 2 and "unexpected" not in done.err, done.err
    assert all(word in done.err for word in words), done.err
    assert not Path("tasks").exists()


def test_a_table_becomes_a_task_that_passes_the_check(ace: Ace) -> None:
    write_csv(Path("tickets.csv"), tickets())
    done = ace("init", "tickets.csv")
    assert done.code == 0, done.err
    for part in ("text", "queue", "by its name", "exact: the answers are 3 labels", "last line", "ace learn"):
        assert part in done.out
    checked = ace("tasks", "check", "tickets")
    assert checked.code == 0 and "40 of 40 right" in checked.out
    task = load_task("tasks/tickets")
    assert (len(task.train), len(task.val), len(task.test)) == (26, 4, 10)
    assert "billing, returns, shipping" in task.instructions
    assert task.train[0].id.startswith("t-") and str(task.extract) == "last line"
    settings = Path("tasks/tickets/task.toml").read_text()
    assert settings.count("#") > 10 and tomllib.loads(settings)["answer"]["scorer"] == "exact"


def test_nothing_is_overwritten_and_a_dry_run_writes_nothing(ace: Ace) -> None:
    write_csv(Path("tickets.csv"), tickets())
    assert report(ace("init", "tickets.csv", "--dry-run", "--json"))["written"] is False
    assert not Path("tasks").exists()
    assert ace("init", "tickets.csv").code == 0
    before = {file: file.read_bytes() for file in Path("tasks").rglob("*.*")}
    again = ace("init", "tickets.csv")
    assert again.code == 2 and "tasks/tickets exists" in again.err and "--out" in again.err
    assert {file: file.read_bytes() for file in Path("tasks").rglob("*.*")} == before
    assert [path.name for path in Path("tasks").iterdir()] == ["tickets"]
    assert report(ace("init", "tickets.csv", "--dry-run", "--json"))["train"] == 26
    assert "'nope'" in ace("init", "tickets.csv", "--question", "nope", "--dry-run").err
    folder = ace("init", "tasks")
    assert folder.code == 2 and "tasks is a folder" in folder.err


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("rows (1).csv", "rows_1"),
        ("Übung 2.csv", "Ubung_2"),
        ("_a&b_.csv", "a_b"),
        ("вопросы.csv", "my_task"),
        (".x.y.csv", "x.y"),
    ],
)
def test_a_file_of_any_name_becomes_a_task(ace: Ace, file: str, name: str) -> None:
    write_csv(Path(file), tickets())
    assert report(ace("init", file, "--json"))["folder"] == str(Path("tasks") / name)
    assert load_task(f"tasks/{name}").name == name


def test_splits_come_from_the_seed_and_no_question_is_in_two(ace: Ace) -> None:
    rows = tickets(80)
    rows += [
        (f"again-{n}", f"  ticket {n}: WHERE is my {QUEUES[n % 3]} thing", QUEUES[n % 3]) for n in range(30)
    ]
    write_csv(Path("a.csv"), rows)
    write_csv(Path("b.csv"), rows[::-1])
    first = report(ace("init", "a.csv", "--json", "--out", "one"))
    report(ace("init", "b.csv", "--json", "--out", "two", "--name", "x"))
    report(ace("init", "a.csv", "--json", "--out", "three", "--seed", "5"))
    tests = {}
    for folder in ("one", "two", "three"):
        task = load_task(folder)
        asked = {
            split: {normalize_question(sample.question) for sample in getattr(task, split)}
            for split in ("train", "val", "test")
        }
        assert sum(map(len, asked.values())) == 80 == len(set().union(*asked.values()))
        tests[folder] = asked["test"]
    assert tests["one"] == tests["two"] != tests["three"]  # the order of rows decides nothing
    assert len(first["left_out"]) == 30 and first["left_out"]["a.csv:82"].endswith("as a.csv:2")


def test_one_question_with_two_answers_is_asked_for_neither(ace: Ace) -> None:
    rows = [*tickets(20), ("x", "Ticket 3: where is my billing thing?", "returns")]
    left_out = report(ace("init", str(write_csv(Path("t.csv"), rows)), "--json"))["left_out"]
    assert left_out["t.csv:5"] == "the same question has another answer in t.csv:22"
    assert left_out["t.csv:22"] == "the same question has another answer in t.csv:5"


@pytest.mark.parametrize(
    ("name", "header", "sep", "encoding"),
    [
        ("bom.csv", "id,text,queue", ",", "utf-8-sig"),
        ("excel.csv", "id,text,queue", ";", "cp1252"),
        ("wide.csv", "id,text,queue", "\t", "utf-16"),
        ("tabs.tsv", "id,text,queue", "\t", "utf-8"),
        ("bars.txt", "id,text,queue", "|", "utf-8"),
        ("said.csv", "id,text,queue", ";", "utf-8"),
    ],
)
def test_what_spreadsheets_write_is_read(name: str, header: str, sep: str, encoding: str, ace: Ace) -> None:
    rows = [(key, f"Größe {text}", queue) for key, text, queue in tickets()]
    file = write_csv(Path(name), rows, header, sep, encoding=encoding)
    if name == "said.csv":
        file.write_bytes(b"sep=;\r\n" + file.read_bytes())
    made = report(ace("init", name, "--out", "made", "--json"))
    assert made["columns"] == {"answer": ["queue"], "question": ["text"], "id": ["id"]}
    assert all(sample.question.startswith("Größe") for sample in load_task("made").train)
    if encoding == "cp1252":
        assert "Windows-1252, as Excel writes it" in " ".join(made["notes"])


def test_odd_rows_are_left_out_by_name_and_the_rest_is_used(ace: Ace) -> None:
    lines = ["id,text,queue", *(",".join(row) for row in tickets(30))]
    lines[4] = "t-3,one, two, three,billing"
    lines[7] = "t-6,no answer,"
    lines[9] = ",,"
    lines[11] = "t-10"
    lines[13] = 't-12,a "quote in" the middle,billing'
    lines[15] = 't-14,"it is "odd" here",billing'
    lines[20] = 't-19,"two\nlines",billing'
    Path("odd.csv").write_text("\n".join(lines))
    left_out = report(ace("init", "odd.csv", "--json"))["left_out"]
    assert set(left_out) == {"odd.csv:5", "odd.csv:8", "odd.csv:12", "odd.csv:16"}
    assert "5 cells, and the header has 3" in left_out["odd.csv:5"]
    assert left_out["odd.csv:8"] == "no answer: queue is empty"
    assert "quotation marks" in left_out["odd.csv:16"]
    task = load_task("tasks/odd")
    assert "two\nlines" in [sample.question for _, sample in iterate_samples(task)]


def test_a_quotation_mark_that_is_never_closed_is_named(ace: Ace) -> None:
    lines = ["id,text,queue", *(",".join(row) for row in tickets(30))]
    lines[25] = 't-24,"never closed,billing'
    Path("open.csv").write_text("\n".join(lines))
    left_out = report(ace("init", "open.csv", "--json"))["left_out"]
    assert set(left_out) == {"open.csv:26"} and "up to line 31" in left_out["open.csv:26"]


UNREADABLE = [
    ("empty.csv", b"", "holds no rows"),
    ("header.csv", b"id,question,answer\n", "holds no rows"),
    ("one.csv", b"question\nwhat?\nwho?\n", "has one column"),
    ("zeros.csv", bytes(1000), "is binary"),
    ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, "is binary"),
    ("json.csv", b'{"question": "a", "answer": "b"}\n', "holds JSON"),
    ("bad.json", b'{"question": "a",', "is not valid JSON"),
    ("number.json", b"3", "holds no list of rows"),
    ("lines.jsonl", b"nonsense\nmore\n", "2 of 2 rows cannot be read"),
    ("sheet.xlsx", b"no spreadsheet", "is no spreadsheet"),
    ("words.docx", b"x", "no table whose ending is known"),
]


@pytest.mark.parametrize(("name", "content", "words"), UNREADABLE, ids=[name for name, *_ in UNREADABLE])
def test_files_that_cannot_be_read_are_refused(name: str, content: bytes, words: str, ace: Ace) -> None:
    Path(name).write_bytes(content)
    done = ace("init", name)
    assert done.code == 2 and "unexpected" not in done.err, done.err
    assert name in done.err and words in done.err, done.err
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["missing.csv"], ["missing.csv", "No such file"]),
        (["t.csv", "--question", "nothing"], ["no column 'nothing'", "id, text, queue"]),
        (["t.csv", "--scorer", "exactly"], ["No scorer is called 'exactly'", "numeric"]),
        (["t.csv", "--scorer", "numeric"], ["the scorer 'numeric' refuses 40 answers", "--scorer"]),
        (["t.csv", "--extract", "somewhere"], ["somewhere", "--extract"]),
        (["t.csv", "--encoding", "klingon"], ["Nobody knows the encoding 'klingon'", "cp1252"]),
        (["t.csv", "--encoding", "hex"], ["Nobody knows the encoding 'hex'", "cp1252"]),
        (["t.csv", "--name", "a/b"], ["cannot be the name of a task"]),
        (["-"], ["typed on a terminal"]),
    ],
    ids=lambda part: " ".join(part),
)
def test_options_that_do_not_fit_are_refused_with_the_fix(
    args: list[str], words: list[str], ace: Ace
) -> None:
    write_csv(Path("t.csv"), tickets())
    done = ace("init", *args)
    assert done.code == 2 and "unexpected" not in done.err, done.err
    assert all(word in done.err for word in words), done.err
    assert not Path("tasks").exists()


def test_columns_that_could_be_several_are_asked_for(ace: Ace) -> None:
    write_csv(Path("two.csv"), [(f"q{n}", f"a{n}", f"b{n}") for n in range(9)], "question,answer,answer")
    refused(ace("init", "two.csv"), "the answer could be one of 2 columns", "answer.2", "--answer")
    assert report(ace("init", "two.csv", "--answer", "answer.2", "--json"))["columns"]["answer"] == [
        "answer.2"
    ]


def test_a_table_without_a_header_says_so(ace: Ace) -> None:
    write_csv(Path("bare.csv"), [(f"What is {n}?", f"{n}") for n in range(9)], "What is it then?,42")
    refused(ace("init", "bare.csv"), "--no-header")
    made = report(
        ace("init", "bare.csv", "--no-header", "--json", "--question", "column 1", "--answer", "column 2")
    )
    assert made["train"] + made["test"] == 10 and made["scorer"] == "numeric"


CITIES = "Paris,7 Elm Street,Rome,AB-12,Oslo,New York,Bern,Cairo,Lima,Kyiv,Q7,X"
COLOURS = "red, blue|blue|red, green|green|red|blue, green|red, blue|green|red|blue|red, green|blue"
FORMS = {
    "numeric": ["12", "3.5", "$1,200", "40%", "0.25", "-7", "9", "100", "2", "31", "55", "8"],
    "short": CITIES.split(","),
    "json": [json.dumps({"n": n, "ok": True}) for n in range(12)],
    "labels": COLOURS.split("|"),
}


@pytest.mark.parametrize("scorer", FORMS)
def test_the_scorer_follows_from_the_answers(scorer: str, ace: Ace) -> None:
    rows = [{"question": f"Question number {n}?", "answer": answer} for n, answer in enumerate(FORMS[scorer])]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = report(ace("init", "rows.jsonl", "--json"))
    assert made["scorer"] == scorer and made["why"]["scorer"]
    assert made["extract"] == ("" if scorer == "json" else "last line")
    assert ace("tasks", "check", "tasks/rows").code == 0


def test_codes_with_zeros_in_front_are_no_numbers_and_long_texts_are_warned_of(ace: Ace) -> None:
    codes = [{"q": f"Where is place {n}?", "a": f"0{n}{n}7"} for n in range(9)]
    Path("codes.json").write_text(json.dumps(codes))
    assert report(ace("init", "codes.json", "--json"))["scorer"] == "short"
    texts = [
        {"question": f"Why {n}?", "answer": f"Because of {n}. " + "It is a long story. " * 9}
        for n in range(9)
    ]
    Path("texts.json").write_text(json.dumps({"data": texts}))
    done = ace("init", "texts.json", "--json")
    assert report(done)["scorer"] == "exact" and "your-own-environment" in done.err


def test_multiple_choice_becomes_lettered_lines(ace: Ace) -> None:
    rows = [(f"Which is {n}?", "one", "two", "three", str(n % 3)) for n in range(12)]
    write_csv(Path("mc.csv"), rows, "question,A,B,C,answer")
    made = report(ace("init", "mc.csv", "--json"))
    assert made["columns"]["choices"] == ["A", "B", "C"] and made["scorer"] == "exact"
    by_question = {sample.question: sample.data["answer"] for sample in load_task("tasks/mc").train}
    assert all(f"{letter}) " in question for question, letter in by_question.items())
    assert by_question and all(
        letter == "ABC"[int(question.split("Which is ")[1].split("?")[0]) % 3]
        for question, letter in by_question.items()
    )
    listed = [{"question": f"Pick {n}.", "choices": ["x", f"y{n}"], "answer": f"y{n}"} for n in range(9)]
    Path("listed.json").write_text(json.dumps(listed))
    assert report(ace("init", "listed.json", "--json"))["instructions"].startswith(
        "Answer the question. Write the letter"
    )


def test_conversations_alternatives_context_and_splits_of_data_sets(ace: Ace) -> None:
    chats = [
        {"messages": [{"role": "user", "content": f"Say {n}?"}, {"role": "assistant", "content": f"yes {n}"}]}
        for n in range(9)
    ]
    Path("chat.jsonl").write_text("\n".join(map(json.dumps, chats)))
    report(ace("init", "chat.jsonl", "--json"))
    assert load_task("tasks/chat").train[0].question.startswith("Say ")
    squad = [
        {"id": f"s{n}", "question": f"Who was {n}?", "context": f"It was Ann{n}.",
         "split": "train" if n < 6 else "dev", "answers": {"text": [f"Ann{n}", f"Miss Ann{n}"], "at": [7, 7]}}
        for n in range(9)
    ]  # fmt: skip
    Path("squad.json").write_text(json.dumps(squad))
    made = report(ace("init", "squad.json", "--json"))
    task = load_task("tasks/squad")
    assert (len(task.train), len(task.val), len(task.test)) == (6, 3, 0)
    assert made["scorer"] == "short" and task.train[0].data["answer"] == ["Ann0", "Miss Ann0"]
    assert task.train[0].question == "Who was 0?\n\ncontext:\nIt was Ann0."


def write_xlsx(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    """The least that a workbook needs."""
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    entries, links, parts = "", "", {}
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        entries += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        links += (
            f'<Relationship Id="r{number}" Type="{relations}/worksheet" Target="worksheets/s{number}.xml"/>'
        )
        cells = ""
        for place, row in enumerate(rows, start=1):
            line = ""
            for value in row:
                if isinstance(value, str):
                    line += f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
                else:
                    line += f"<c><v>{value}</v></c>"
            cells += f'<row r="{place}">{line}</row>'
        parts[f"xl/worksheets/s{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
        )
    parts["xl/workbook.xml"] = (
        f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{entries}</sheets></workbook>'
    )
    parts["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
    )
    parts["_rels/.rels"] = (
        f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    )
    parts["[Content_Types].xml"] = (
        f'<Types xmlns="{package}/content-types">'
        f'<Default Extension="xml" ContentType="{kinds}.sheet.main+xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>'
    )
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)


def write_ods(path: Path, rows: list[list[str]]) -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    cells = ""
    for row in rows:
        line = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(text)}</text:p></table:table-cell>'
            for text in row
        )
        cells += f"<table:table-row>{line}</table:table-row>"
    content = (
        f'<office:document-content xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" '
        f'xmlns:text="{office}:text:1.0"><office:body><office:spreadsheet><table:table table:name="Tab">'
        f"{cells}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("content.xml", content)
        book.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{office}:manifest:1.0"/>')


def test_spreadsheets_are_read_with_the_library_and_asked_for_without(
    ace: Ace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("python_calamine")
    numbered = [["No", "Question", "Answer"], *[[n, f"How many is {n} & one?", n + 1] for n in range(12)]]
    write_xlsx(Path("book.xlsx"), {"Notes": [], "Data": numbered, "Other": [["x"]]})
    made = report(ace("init", "book.xlsx", "--json"))
    assert made["scorer"] == "numeric" and "its other sheets are not read: Notes, Other" in " ".join(
        made["notes"]
    )
    samples = load_task("tasks/book").train
    assert samples[0].question == f"How many is {samples[0].id} & one?"
    assert samples[0].data["answer"] == str(int(samples[0].id) + 1)
    wrong = ace("init", "book.xlsx", "--sheet", "Sheet9", "--out", "x")
    assert wrong.code == 2 and "Notes, Data, Other" in wrong.err
    write_ods(Path("calc.ods"), [["question", "answer"], *[[f"Is it {n}?", f"yes {n}"] for n in range(8)]])
    assert report(ace("init", "calc.ods", "--json"))["train"] == 6
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    missing = ace("init", "book.xlsx", "--out", "y")
    assert missing.code == 2 and "pip install 'ace-engine[spreadsheets]'" in missing.err


def test_of_a_large_file_a_sample_is_looked_at(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("large.csv").open("w") as out:
        out.write("question,answer\n")
        for number in range(25_000):
            out.write(f"What is the number {number} good for in this large file?,{number}\n")
    made = report(ace("init", "large.csv", "--json"))
    assert any("25,000 rows: 20,000 of them" in note for note in made["notes"])
    assert (made["train"], made["val"], made["test"]) == (200, 50, 100) and made["spare"] == 19_650
    bigger = report(ace("init", "large.csv", "--json", "--out", "more", "--train", "300", "--val", "0"))
    assert (bigger["train"], bigger["val"]) == (300, 0)
    monkeypatch.setattr("ace.task.new_task.read_rows._MOST_BYTES", 1000)
    Path("large.json").write_text(json.dumps([{"question": "q" * 2000, "answer": "a"}]))
    done = ace("init", "large.json")
    assert done.code == 2 and "Save it as .csv or .jsonl" in done.err


def test_questions_are_typed_on_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal()
    process = terminal.start(["init", "-", "--name", "typed"], tmp_path)
    terminal.read_until("Instructions: ")
    terminal.type("Answer with the name of a city.")
    for number, (question, answer) in enumerate([("France?", "Paris"), ("Spain?", "Madrid")], start=1):
        terminal.read_until(f"Question {number}: ")
        terminal.type(question)
        terminal.read_until(f"(?s)Question {number}: .*Right answer: ")
        terminal.type(answer)
    terminal.read_until("Question 3: ")
    terminal.type("")
    terminal.read_until("tasks/typed: 2 train, 0 val, 0 test")
    process.join(60)
    terminal.close()
    task = load_task(tmp_path / "tasks" / "typed")
    assert process.exitcode == 0 and check_task(task) == []
    assert task.instructions == "Answer with the name of a city."
    assert [sample.data["answer"] for sample in task.train] == ["Paris", "Madrid"]


# A few rows as people write them, by the encodings that programs in their countries write.
TABLES = {
    ("cp1250",): [
        ("Zásilka nepřišla, i když měla být včera doručena.", "doprava"),
        ("Účtovali jste mi dvakrát stejnou částku.", "platba"),
        ("Žádám o výměnu, velikost je příliš malá.", "vrácení"),
        ("Jak změním heslo ke svému účtu?", "účet"),
    ],
    ("iso8859-2", "cp1250"): [
        ("Paczka nie dotarła, choć miała być wczoraj.", "dostawa"),
        ("Pobraliście tę samą kwotę dwa razy.", "płatność"),
        ("Urządzenie nie działa, ekran jest ciągle czarny.", "usterka"),
        ("Rozmiar jest za mały, proszę o wymianę.", "zwrot"),
    ],
    ("cp1254", "iso8859-9"): [
        ("7 numaralı siparişim nerede?", "kargo"),
        ("Ürünü iade etmek ve paramı geri almak istiyorum.", "iade"),
        ("Hesabımın şifresini nasıl değiştiririm?", "hesap"),
    ],
    ("cp1257",): [
        ("Siunta neatvyko, nors turėjo būti pristatyta vakar.", "siuntimas"),
        ("Noriu grąžinti prekę ir atgauti pinigus.", "grąžinimas"),
        ("Jūs du kartus nuskaičiavote tą pačią sumą.", "mokėjimas"),
    ],
    ("cp1251", "koi8-r"): [
        ("Посылка не пришла, хотя должна была быть вчера.", "доставка"),
        ("Вы списали одну и ту же сумму дважды.", "оплата"),
    ],
    ("cp1253",): [
        ("Το δέμα δεν έφτασε, αν και έπρεπε να έρθει χθες.", "αποστολή"),
        ("Πού είναι το δέμα;", "όχι"),
    ],
    ("cp1256",): [("أين طلبي رقم سبعة؟", "شحن"), ("أريد إرجاع المنتج واسترداد المال.", "إرجاع")],
    ("cp932",): [("注文はどこですか", "配送"), ("荷物が届きません", "配送")],
    ("mac_roman",): [("Größe zu klein bitte umtauschen.", "kürzer"), ("Schön ist es nicht.", "schön")],
    ("gb18030",): [("请问我的订单现在在哪里", "物流"), ("包裹没有到", "退货")],
    ("cp1252",): [
        ("Où est ma commande ? Elle devait être livrée hier.", "livraison"),
        ("La taille est trop petite, ça coûte 20 € de plus.", "retour"),
    ],
}


@pytest.mark.parametrize(
    ("encoding", "rows"), [(encoding, rows) for encodings, rows in TABLES.items() for encoding in encodings]
)
def test_a_table_in_the_encoding_of_its_country_is_read(
    ace: Ace, encoding: str, rows: list[tuple[str, str]]
) -> None:
    cells = [(str(n), text.replace(",", ""), label) for n, (text, label) in enumerate(rows)]
    write_csv(Path("t.csv"), cells, encoding=encoding)
    note = report(ace("init", "t.csv", "--json", "--test", "0", "--val", "0"))["notes"][0]
    assert {(s.question, s.data["answer"]) for s in load_task("tasks/t").train} == {c[1:] for c in cells}
    assert "which reads" in note and "--encoding" in note


@pytest.mark.parametrize(
    "signs",
    ["25 \u00b0C \u00b1 2", "5 \u00b5m", "\u00a320 \u2013 \u201ccheap\u201d", "caf\u00e9", "Zo\u00eb"],
)
def test_a_few_signs_are_no_foreign_language(ace: Ace, signs: str) -> None:
    rows = [(str(n), f"Is it {signs} in room {n}?", "yes") for n in range(9)]
    write_csv(Path("t.csv"), rows, encoding="cp1252")
    report(ace("init", "t.csv", "--json"))
    assert signs in load_task("tasks/t").train[0].question


def test_where_two_encodings_fit_the_user_is_asked(ace: Ace) -> None:
    rows = [(str(n), text.replace(",", ""), label) for n, (text, label) in enumerate(TABLES["cp1250",])]
    write_csv(Path("t.csv"), rows, encoding="iso8859-2")
    asked = ("--encoding cp1250 reads 'nepřiąla'", "--encoding iso8859-2 reads 'nepřišla'")
    refused(ace("init", "t.csv"), "t.csv is not UTF-8", *asked)
    report(ace("init", "t.csv", "--json", "--encoding", "iso8859-2", "--test", "0", "--val", "0"))
    assert any("nepřišla" in sample.question for sample in load_task("tasks/t").train)


def test_a_damaged_row_does_not_make_utf8_something_else(ace: Ace) -> None:
    write_csv(Path("t.csv"), [(str(n), f"Größe {n}?", "für") for n in range(9)])
    Path("t.csv").write_bytes(Path("t.csv").read_bytes() + b"\n9,Gr\xf6\xdfe,f\xfcr\n")
    done = ace("init", "t.csv")
    refused(done, "line 11 is no text in utf-8")
    assert "cp1252" not in done.err and not Path("tasks").exists()


@pytest.mark.parametrize(
    "words", ["Où est passée l\u2019année", "„Größe“ ÄÖÜ Äpfel §3", "Þjóðhátíð á Íslandi", "São João, às 5 €"]
)
def test_western_languages_are_read_as_excel_writes_them(ace: Ace, words: str) -> None:
    rows = [(str(n), f"{words} {n}?".replace(",", " "), "ja") for n in range(12)]
    report(ace("init", str(write_csv(Path("t.csv"), rows, encoding="cp1252")), "--json"))
    assert words.partition(",")[0] in load_task("tasks/t").train[0].question


@pytest.mark.parametrize("header", ["質問,回答", "السؤال,الجواب", "Вопрос,Ответ", "问题,答案", "질문,정답"])
def test_columns_are_known_by_their_names_in_other_languages(ace: Ace, header: str) -> None:
    write_csv(Path("t.csv"), [(f"{n}?", "long and longer text") for n in range(9)], header=header)
    reasons = report(ace("init", "t.csv", "--json", "--dry-run"))["reasons"]
    assert reasons == {"question": "by its name", "answer": "by its name"}


def test_zero_is_an_answer_and_null_is_no_question(ace: Ace) -> None:
    rows: list[Any] = [{"question": f"How many {n}?", "answer": n % 2} for n in range(8)]
    rows.append({"question": None, "answer": 3})
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = report(ace("init", "t.jsonl", "--json"))
    assert made["left_out"] == {"t.jsonl:9": "no question: question is empty"}
    assert {sample.data["answer"] for sample in load_task("tasks/t").train} == {0, 1}


def test_lists_of_labels_in_a_cell_are_told_from_labels(ace: Ace) -> None:
    rows = [(str(n), f"text {n}", '"late, broken"' if n % 2 else "late") for n in range(12)]
    made = report(ace("init", str(write_csv(Path("t.csv"), rows)), "--json"))
    assert (made["scorer"], made["options"]) == ("labels", {"ordered": False})
    cities = [(str(n), f"text {n}", '"Paris, France"' if n % 2 else '"Rome, Italy"') for n in range(12)]
    made = report(ace("init", str(write_csv(Path("u.csv"), cities)), "--json", "--dry-run"))
    assert made["scorer"] == "exact"


def test_a_conversation_with_tools_becomes_question_and_answer(ace: Ace) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "How many?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "7 pages"},
        {"role": "assistant", "content": "7"},
    ]
    Path("t.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    report(ace("init", "t.jsonl", "--json"))
    (sample,) = load_task("tasks/t").train
    assert (sample.question, sample.data["answer"]) == ("How many?", "7")


def test_what_an_option_cannot_mean_is_refused(ace: Ace) -> None:
    write_csv(Path("t.csv"), tickets(9))
    refused(ace("init", "t.csv", "--sheet", "Two"), "--sheet is only for .xlsx")
    refused(ace("init", "t.csv", "--question", "text", "--answer", "text"), "text is given twice", "--answer")
    assert not Path("tasks").exists()
