# ruff: noqa: E501, RUF001 (full-width letters and marks are what is tested)
"""Pages, PDFs and languages as they come: what a reader sees is what is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.playbook.model import Bullet
from ace.retrieval.bullet_index import BulletIndex
from ace.retrieval.documents import DocumentIndex, DocumentSearch
from ace.retrieval.documents.broken_words import join_broken_words
from ace.retrieval.documents.file_readers import Unreadable, read_chunks
from ace.retrieval.documents.html_reader import read_page
from ace.text.character_pairs import list_index_terms, list_query_terms


def lines(page: str) -> list[str]:
    return [text for _, text in read_page(page) if text]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>Hours:<br>Mon 9-17<br/>Tue 10-18</p>", ["Hours:", "Mon 9-17", "Tue 10-18"]),
        ("<address>12 Mill Lane<br>\nHarbourtown</address>", ["12 Mill Lane", "Harbourtown"]),
        ("<ul><li>one<br>more<li><p>two</p></ul>", ["- one", "  more", "- two"]),
        ("<h2>A<br>B</h2>", ["## A B"]),
        ("<div>foo<div></div>bar<hr>baz</div>", ["foo", "bar", "baz"]),
        ("<pre># no heading\n  x = 1\n\n\ty</pre>", ["```", "# no heading", "  x = 1", "\ty", "```"]),
        ("<pre>\n```\nx</pre>", ["~~~", "```", "x", "~~~"]),
        ("<pre><code>a &lt; b<br>c</code></pre>", ["```", "a < b", "c", "```"]),
        ("<p>a&nbsp;b &amp; c&shy;d &#x4e2d;</p>", ["a b & cd 中"]),
        ("<script>x</script><style>y</style><noscript>z</noscript><p>a</p><!-- b -->", ["a"]),
        ("<ruby>漢<rt>かん</rt></ruby>字", ["漢字"]),
        ("<tr><th>Tool<th>Price<th>Due<tr><td>Drill<td><td>40", ["Tool | Price | Due", "--- | --- | ---",
                                                                "Drill |  | 40"]),
        ("<table><tr><td></td><td>5</td></tr><tr><td>x</td><td></td></tr></table>", [" | 5", "x |"]),
        ("<table><tr><td colspan=2>All</td><td>3</td></tr><tr><td>a<td>b<td>c</table>",
         ["All |  | 3", "a | b | c"]),
        ("<table><tr><td rowspan=2>Drill</td><td>1</td></tr><tr><td>2</td></tr><tr><td>y<td>3</table>",
         ["Drill | 1", "Drill | 2", "y | 3"]),
        ("<table><tr><td>1</td><td rowspan=3>z</td></tr><tr><td>2</tr><tr><td>3</table>",
         ["1 | z", "2 | z", "3 | z"]),
        ("<table><tr><td colspan=1000000000 rowspan='-3'>x</td></tr></table>", ["x" + " | " * 98 + " |"]),
        ("<table><tr><td>a<br>b<p>c</p></td><td>d</td></tr></table>", ["a b c | d"]),
        ("<table><tr><td>out<table><tr><td>in</td><td>2</td></tr></table></td><td>z</td></tr></table>",
         ["out | z", "in | 2"]),
        ("<table><tr><th scope=row>Mon</th><td>9-17</td></tr></table>", ["Mon | 9-17"]),
        ("<td>alone</td>", ["alone"]),
        ("<ul><li>a<ul><li>b<li>c</ul></li><li>d</ul>", ["- a", "  - b", "  - c", "- d"]),
        ("<ol><li>a</li><li>b<ol start=4><li>c</li></ol></li><li value=9>d</li></ol>",
         ["1. a", "2. b", "  4. c", "9. d"]),
        ("<ul><li><p>one</p><p>two</p></li><li>three</li></ul>", ["- one", "  two", "- three"]),
        ("<table><tr><td>a | b</td><td>c</td></tr></table>", ["a \\| b | c"]),
        ("<table><tr><td rowspan=0>a</td><td>1</td></tr><tr><td>2</td></tr></table>", ["a | 1", "a | 2"]),
        ("<p>10<sup>6</sup> m<sup>2</sup>, 1<sup>st</sup> note<sup><a>3</a></sup>, H<sub>2</sub>O</p>",
         ["10^6 m^2, 1st note3, H2O"]),
        ("<dialog>x</dialog><dialog open>y</dialog><video>z</video><iframe>z</iframe>", ["y"]),
        ("<?xml version='1.0' encoding='utf-8'?>\n<html><p>zero\u200bwidth</p></html>", ["zerowidth"]),
    ],
)  # fmt: skip
def test_html_is_what_a_reader_sees(page: str, expected: list[str]) -> None:
    assert lines(page) == expected


@given(st.text(alphabet="<>/ abtdrhpliue=\"'-!&;#1\n", max_size=80))
def test_any_page_is_read_or_refused(page: str) -> None:
    try:
        read_chunks("a.html", page.encode())
    except Exception as error:
        assert type(error).__name__ == "Unreadable"


def join(*texts: str) -> list[str]:
    return [text for _, text in join_broken_words([(1, text) for text in texts])[0]]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["the depo-", "sit is kept"], ["the deposit", "is kept"]),
        (["a depo-", "sit,", "then"], ["a deposit,", "then"]),
        (["sie-", "ben Fahr-", "räder"], ["sieben", "Fahrräder"]),
        (["a well-", "known song"], ["a wellknown", "song"]),  # nothing says otherwise
        (["a well-known song, a well-", "known man"], ["a well-known song, a well-known", "man"]),
        (["the price is known, determining it: price-", "determining"],
         ["the price is known, determining it: price-determining"]),
        (["a wellknown song, a well-", "known man"], ["a wellknown song, a wellknown", "man"]),
        (["state-of-the-", "art"], ["state-of-theart"]),
        (["Rhein-", "Main"], ["Rhein-", "Main"]),
        (["pages 20-", "30"], ["pages 20-", "30"]),
        (["a dash -", "like this"], ["a dash -", "like this"]),
        (["Donau\u00ad", "dampf\u00adschiff"], ["Donaudampfschiff"]),
        (["trai\u2010", "ler"], ["trailer"]),
        (["", "-", ""], ["", "-", ""]),
        (["the depo\u2011", "sit"], ["the deposit"]),
        (["the of\ufb01-", "ce is \ufb02at"], ["the office", "is flat"]),
        (["IMPOR-", "TANT NOTICE"], ["IMPORTANT", "NOTICE"]),
        (["Hin-", "und Rückfahrt"], ["Hin-", "und Rückfahrt"]),
        (["a thousand, a thous-", "and more"], ["a thousand, a thousand", "more"]),
        (["кни-", "га лежит"], ["книга", "лежит"]),
    ],
)  # fmt: skip
def test_words_broken_over_two_lines_are_joined(texts: list[str], expected: list[str]) -> None:
    assert join(*texts) == expected


@pytest.mark.parametrize(
    ("name", "encoding", "head"),
    [
        ("a.html", "cp1252", "<meta charset=iso-8859-1>"),
        ("a.html", "cp1252", '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">'),
        ("a.html", "iso-8859-15", '<?xml version="1.0" encoding="iso-8859-15"?>'),
        ("a.html", "utf-16", ""),
        ("a.txt", "utf-16", ""),
        ("a.md", "utf-8-sig", ""),
    ],
)
def test_a_text_is_read_in_the_encoding_it_names(name: str, encoding: str, head: str) -> None:
    (chunk,) = read_chunks(name, f"{head}\ncafé 5 €".encode(encoding))
    assert chunk.text.strip() == "café 5 €"


@pytest.mark.parametrize(
    ("encoding", "label", "text"),
    [("gbk", "gb2312", "退货"), ("cp932", "Shift_JIS", "返品①"), ("iso-2022-jp", "iso-2022-jp", "返品"),
     ("cp949", "euc-kr", "반품"), ("cp1251", "windows-1251", "Возврат"), ("big5", "big5", "退貨")],
)  # fmt: skip
def test_pages_of_other_sets_of_characters(encoding: str, label: str, text: str) -> None:
    (chunk,) = read_chunks("a.html", f'<meta charset="{label}"><p>{text}</p>'.encode(encoding))
    assert chunk.text.strip() == text


@pytest.mark.parametrize("head", ["", "<meta charset=nonsense>", "<meta charset=gbk>"])
def test_a_page_in_no_known_encoding_is_named(head: str) -> None:
    with pytest.raises(Unreadable, match=r"line 1 is not .*save it as UTF-8"):
        read_chunks("a.html", f"{head}<p>caf".encode() + b"\xe9")


def test_words_are_not_joined_over_pages() -> None:
    assert join_broken_words([(1, "depo-"), (2, "sit")])[0] == [(1, "depo-"), (2, "sit")]


def search(folder: Path, question: str) -> list[str]:
    index = DocumentIndex.open(folder.parent / "d.db")
    index.update(folder, None)
    return [passage.document.partition("/")[2] for passage in DocumentSearch(index, None)(question, 3)]


def write_pdf(file: Path, *texts: str) -> None:
    """Write a page of these lines, with no other library than the one that reads it in the end."""
    stream = "BT /F1 12 Tf 72 720 Td 14 TL\n" + "\n".join(f"({text}) Tj T*" for text in texts) + "\nET"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page + " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(text)
    text += "xref\n0 6\n0000000000 65535 f \n" + "".join(f"{place:010d} 00000 n \n" for place in places)
    text += f"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    file.write_bytes(text.encode("latin-1"))


def test_both_readings_of_a_broken_word_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    write_pdf(folder / "bikes.pdf", "Returns of bikes", "The depo-", "sit is price-", "determining here.")
    for question in ("deposit", "price", "determining", "price-determining", "pricedetermining"):
        assert search(folder, question) == ["bikes.pdf"], question


PAGES = {
    "zh.md": "# 退货规定\n\n自行车可以在七天之内退货。逾期每天收取五元。请用ACE框架登记。\n",
    "ja.md": "# 返品\n\n自転車は七日以内に返品できます。ﾒｰﾙで連絡。ラーメン。\n",
    "th.md": "# การคืนสินค้า\n\nจักรยานคืนได้ภายในเจ็ดวัน\n",
    "ko.md": "# 반품\n\n자전거는 칠일 이내에 반품할 수 있습니다.\n",
    "km.md": "# ការប្រគល់\n\nកង់អាចប្រគល់វិញបានក្នុងរយៈពេលប្រាំពីរថ្ងៃ\n",
    "en.md": "# Paint\n\nPaint and wood, café １２３.\n",
    "lo.md": "# ການສົ່ງຄືນ\n\nລົດຖີບສາມາດສົ່ງຄືນພາຍໃນເຈັດມື້\n",
    "ar.md": "# إرجاع\n\nيمكن إرجاع الدَّرَّاجَة خلال سبعة أيام. مكتبة\n",
    "he.md": "# החזרה\n\nאפשר להחזיר את האופניים. שָׁלוֹם לכולם\n",
    "de.md": "# Rückgabe\n\nFahrräder an der Straße, GRÖSSE Ø.\n",
    "el.md": "# Επιστροφή\n\nΤο ποδήλατο, ΟΔΟΣ\n",
    "ru.md": "# Возврат\n\nВелосипед ещё можно вернуть.\n",
    "tr.md": "# İade\n\nISPARTA ılık\n",
    "signs.md": "# Signs\n\nPress ⚠ then 👍 or → and €.\n",
}


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("元", "zh.md"), ("退货", "zh.md"), ("自行车", "zh.md"), ("自行车什么时候可以退货？", "zh.md"),
        ("ACE", "zh.md"), ("ace框架", "zh.md"), ("登记 steel", "zh.md"), ("逾期五元", "zh.md"),
        ("返品", "ja.md"), ("何日以内に返品できますか", "ja.md"), ("メール", "ja.md"), ("転", "ja.md"),
        ("จักรยาน", "th.md"), ("คืน", "th.md"), ("วัน", "th.md"), ("คืนจักรยานได้ไหม", "th.md"),
        ("자전거", "ko.md"), ("반품", "ko.md"), ("칠", "ko.md"), ("반품은 언제까지", "ko.md"),
        ("កង់", "km.md"),
        ("らーめん", "ja.md"), ("ラーメン", "ja.md"), ("ລົດຖີບ", "lo.md"), ("ມື້", "lo.md"),
        ("الدراجة", "ar.md"), ("دراجة", "ar.md"), ("ارجاع", "ar.md"), ("ايام", "ar.md"), ("مـكـتـبـه", "ar.md"),
        ("אופניים", "he.md"), ("שלום", "he.md"), ("שָׁלוֹם", "he.md"), ("strasse", "de.md"), ("Straße", "de.md"),
        ("größe", "de.md"), ("fahrrader", "de.md"), ("ποδηλατο", "el.md"), ("οδός", "el.md"), ("еще", "ru.md"),
        ("ısparta", "tr.md"), ("isparta", "tr.md"), ("iade", "tr.md"), ("👍", "signs.md"), ("€", "signs.md"),
        ("→", "signs.md"), ('"paint AND NEAR(* -', "en.md"), ("paint:wood^", "en.md"),
        ("paint", "en.md"), ("cafe", "en.md"), ("123", "en.md"), ("ＷＯＯＤ", "en.md"),
    ],
)  # fmt: skip
def test_words_of_every_script_are_found(question: str, document: str, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert search(folder, question)[0] == document
    bullets = BulletIndex(Bullet(name, "General", text) for name, text in PAGES.items())
    assert bullets.search(question)[0] == document


def test_english_needs_no_further_terms() -> None:
    assert list_index_terms("Paint and wood, naïve café.") == []
    assert list_query_terms("Paint, paint & wood?") == ["paint", "wood"]


@given(st.text(alphabet="退货品aB 1ค\u0e34の가。\ud800", max_size=20))
def test_a_text_is_found_by_all_of_itself(text: str) -> None:
    index = BulletIndex([Bullet("b", "s", text)])
    if any(character.isalnum() for character in text):
        assert index.search(text) == ["b"]


def test_an_index_of_an_older_release_is_filled_anew(tmp_path: Path) -> None:
    import sqlite3

    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "zh.md").write_text(PAGES["zh.md"], encoding="utf-8")
    assert search(folder, "退货") == ["zh.md"]
    with sqlite3.connect(tmp_path / "d.db") as db:
        db.execute("PRAGMA user_version = 1")
    assert search(folder, "退货") == ["zh.md"]


@pytest.mark.parametrize(
    "pump", ["<li>x", "<ul><li>x", "<p>x", "<div>x", "<tr><td>x", "<dt>x<dd>y", "<span>x", "<sup>2"]
)
def test_a_page_without_end_tags_takes_steps_in_proportion_to_its_length(pump: str) -> None:
    def count_steps(elements: int) -> int:
        steps = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal steps
            steps += 1

        sys.setprofile(count)
        try:
            assert list(read_page(pump * elements))
        finally:
            sys.setprofile(None)
        return steps

    count_steps(10)  # with the imports
    assert count_steps(800) < 2.7 * count_steps(400)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<ul><li>a<li>b<ul><li>c<li>d</ul><li>e</ul>", ["- a", "- b", "  - c", "  - d", "- e"]),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", ["a | b", "c | d"]),
        ("<table><tr><td><table><tr><td>in</table>out<td>b</table>", ["out | b", "in"]),
        (f"{'<div>' * 300}deep<p>end", ["deep", "end"]),
    ],
)
def test_elements_end_where_html_says_so(page: str, expected: list[str]) -> None:
    assert lines(page) == expected
