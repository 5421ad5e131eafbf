"""Know the forms that secrets have: vendors' prefixes, names with a value behind them, check digits. Pure.

Each finder yields spans of a plain text, in time proportional to its length. The forms are in secrets.toml.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise

from ace.text.phrases import fold_case, list_needed_words
from ace.text.word_lists import stop_words

SECRET_MARK = "[hidden]"  # noqa: S105 (it stands in the place of a secret)

Span = tuple[int, int]

_FORMS = tomllib.loads(files("ace.safety").joinpath("secrets.toml").read_text("utf-8"))
_WORDS = {name: frozenset(words.split()) for name, words in _FORMS.items() if isinstance(words, str)}

_ENDS_VALUES = stop_words() | _WORDS["ordinary_in_sentences"]
_MADE_OF = _ENDS_VALUES.union(
    *(_WORDS[name] for name in ("ordinary", "instructions", "objects", "words_about_secrets"))
)
"""What sentences about secrets are made of, beside names of things."""

_PRIVATE_KEY = re.compile(
    r"-{4,5} ?BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}.*?"
    r"(?:-{4,5} ?END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}|\Z)"
    r"|PuTTY-User-Key-File-\d:.*",
    re.DOTALL,
)
_ADDRESS_LOGIN = re.compile(
    r"(?<=://)(?:(?<!postgresql://)(?<!postgres://)[^/\s@]{1,400}|[^/\s@:]{0,400}:[^/\s@]{0,400})@"
)  # a name alone may be a token; before a database it is a name
_LOGIN_OPTION = re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[ =]['\"]?([^\s:'\"]{1,100}:[^\s'\"]{1,200})")
_QUERY_KEY = re.compile(
    r"(?<=[?&;])(?:(?:api_?|access_?|auth_?|secret_?)?(?:key|token|secret)|sig|signature|password)=([^&\s'\"]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(authorization['\"]?\s{0,9}[:=]\s{0,9}['\"]?)?\bbearer\s{1,9}([\w.~+/=-]{6,})", re.IGNORECASE
)
_BASIC = re.compile(
    r"(authorization['\"]?\s{0,9}[:=]\s{0,9}['\"]?)?\bbasic\s{1,9}([\w+/]{6,}={0,2})", re.IGNORECASE
)
_ELEMENT = re.compile(r"<([\w:.-]{1,60})(?: [^<>]{0,100})?>([^<>]{1,400})</")
# Between a name and its value: the end of a quoted name, and a sign or a word. A word makes it a sentence.
_IS = re.compile(
    r"(?:[ _-](?:\d{1,3}|id|provided|given|prod|dev|test|old|new))?[\\\"'`\])]{0,4}\s{0,9}"
    rf"(?:(?P<sign>:=|=>|={{1,3}}|:|\uff1a)|\b(?P<word>{'|'.join(_FORMS['links'])})\b:?"
    rf"|(?P<foreign>{'|'.join(_FORMS['foreign_links'])})(?!\w):?)"
    r"[ \t]{0,9}",
    re.IGNORECASE,
)
# Words behind the name of a secret, as in SECRET_KEY_BASE, db.password.primary and passwordHash. Then a sign.
_TAIL = re.compile(r"(?:[_.-][A-Za-z0-9]{1,20}|(?<=[a-z])[A-Z][a-z0-9]{0,20}){1,5}(?![\w.-])")
_TAIL_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_NEXT_LINE = re.compile(r"\r?\n[ \t]{0,9}(?=\S{4,200}[ \t]{0,9}(?:\r?\n|\Z))")
_QUOTED = re.compile(r"(\\{0,8}[\"'`])(.{1,400}?)(?<!\\)\1")
_BARE_VALUE = re.compile(r"\S+")
_HIDDEN_ALREADY = re.compile(rf"(?:{re.escape(SECRET_MARK)}\W*)+")
_ENDS_VALUE = re.compile(r"[,;&](?=[\w.-]{1,60}[=:])|[\"'`]")
_WORDS_IN_A_ROW = re.compile(
    r"[A-Z]?[a-z]+(?:['\u2019-][a-z]+)*(?: [A-Za-z]+(?:['\u2019-][a-z]+)*){1,7}(?![\w=:@/\\-])"
)
_PLAIN_WORDS = re.compile(r"(?: [a-z]{2,20}(?![\w:=])){1,7}")
_OPTION = re.compile(r"(?<!\S)--?([a-zA-Z][\w-]{0,40})(?:=| {1,3})(?=[^\s-])")
_KEY = re.compile(
    r"((?<![a-zA-Z])(?i:key|token)|(?<=[a-z])(?:Key|Token)|(?<=[A-Z])(?:KEY|TOKEN))(?: provided)?"
)
_KEYS = frozenset({"key", "token"})
_BEFORE = re.compile(r"(?<![A-Za-z])([A-Za-z]+)[ _.-]?$")
_VARIABLE = re.compile(r"(?<![\w.])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+){0,9}_$")
_LONGEST_WORD = 60  # characters: what is longer and no value holds no name either
_MIXED = re.compile(r"(?=[^\s\d]{1,40}\d|\d{1,40}[A-Za-z])[\w.!@#$%^&*+-]{6,}")
_IDENTIFIER = re.compile(
    r"[a-z]{2,20}(?:_[a-z]{2,20}){0,4}_(?:token|key)[,)]?"
)  # access_token=phone_access_token
_NUMBER = re.compile(r"[#(]?\d{3,8}\b")
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ .\u00a0\u2009\u2010-\u2014-]?\d){13,18}(?![\d-])")
_CARD_START = re.compile(r"3[04-9]\d{12,14}$|4\d{15}(?:\d{3})?$|5[1-5]\d{14}$|2[2-7]\d{14}$|6\d{15,18}$")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_NEXT_PART = re.compile(r"[\\+\"' ]{0,4}(?:\r?\n| )[ \t\"'>|]{0,9}([\w+/=-]{6,})(?![\w@.])")
_TOKEN = re.compile(r"(?<![\w/+.@-])[A-Za-z0-9_+/-]{28,}={0,2}(?![\w@])")
# Stands for a value that is not there: "...", "****", and a variable, as "$KEY" and "${KEY".
_STAND_IN = re.compile(r"[.\u2026*\u2022_-]+|\$\{?[A-Z][A-Z_]*")
# What these forms need at least: characters without a space, and digits.
_SHORTEST_KEY, _TOKEN_SIZE, _CARD_DIGITS, _IBAN_DIGITS = 13, 28, 14, 2


@cache
def _compile_names(*lists: str) -> re.Pattern[str]:
    """Compile the names of secrets in these lists of the data file, for a text in small letters."""
    return re.compile("|".join(name for each in lists for name in _FORMS[each]))


@cache
def _compile_vendors() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Compile the prefixes of vendors: those that are certain, and those of what must look random."""
    certain = "|".join(_FORMS["vendors"])
    random = "|".join(_FORMS["random_vendors"])
    return (
        re.compile(rf"(?<![A-Za-z0-9])(?=\S{{{_SHORTEST_KEY}}})(?:{certain})"),
        re.compile(rf"(?<![A-Za-z0-9_-])(?:{random})"),
    )


@cache
def _list_name_words() -> frozenset[str]:
    """Return words of which one stands in every name of a secret."""
    names = [*_FORMS["names"], *_FORMS["short_names"], *_FORMS["number_names"], *_FORMS["plain_names"]]
    others = "|".join(name for name in names if not name.endswith(tuple(_KEYS)))
    return _KEYS | list_needed_words(others)


def find_by_form(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield what a plain text holds: what it is, for people, its start and its end. In no order.

    Most texts hold nothing. So each form is looked for only where a sign or word stands that it needs.
    """
    folded = fold_case(text)
    longest = max(map(len, text.split()), default=0)
    digits = sum(map(text.count, "0123456789")) if text.isascii() else len(text)  # others have their own
    if "PRIVATE KEY" in text or "PuTTY" in text:
        for match in _PRIVATE_KEY.finditer(text):
            yield "a private key", *match.span()
    if "://" in text:
        for match in _ADDRESS_LOGIN.finditer(text):
            yield "a name and password in an address", *match.span()
    if "-u" in text:
        for match in _LOGIN_OPTION.finditer(text):
            yield "a name and password", *match.span(1)
    if "=" in text:
        for match in _QUERY_KEY.finditer(text):
            yield "a key in an address", *match.span(1)
    certain, random = _compile_vendors()
    if longest >= _SHORTEST_KEY:
        for match in certain.finditer(text):
            yield "an API key", *_extend_over_breaks(text, *match.span())
    if "-" in text or "_" in text:
        for match in random.finditer(text):
            if looks_random(match[0]):
                yield "an API key", *_extend_over_breaks(text, *match.span())
    if "bearer" in folded:
        for match in _BEARER.finditer(text):
            if match[1] or looks_random(match[2]):
                yield "a bearer token", *match.span(2)
    if "basic" in folded:
        for match in _BASIC.finditer(text):
            if match[1] or _holds_login(match[2]):
                yield "a name and password", *match.span(2)
    words = {word for word in _list_name_words() if word in folded}
    if words:
        for span in _find_named(text):
            yield "a password, key or token", *span
    if words & _KEYS:
        for span in _find_keys(text):
            yield "a key or token", *span
    if digits >= _CARD_DIGITS:
        for match in _CARD.finditer(text):
            if _is_card_number(match[0]):
                yield "a card number", *match.span()
    if digits >= _IBAN_DIGITS:
        for span in _find_ibans(text):
            yield "an account number (IBAN)", *span
    if longest >= _TOKEN_SIZE and digits:
        for match in _TOKEN.finditer(text):
            if _is_dense(match[0]):
                yield "a key or token", *match.span()


def _find_named(text: str) -> Iterator[Span]:
    """Yield the values that stand behind the name of a secret, or of an option that is called so."""
    names, position = _compile_names("names", "short_names", "number_names", "plain_names"), 0
    lowered = _to_lower(text)
    while match := names.search(lowered, position):
        position = match.end()
        is_number = bool(_compile_names("number_names").fullmatch(match[0]))
        is_unmistakable = bool(_compile_names("names").fullmatch(match[0]))
        if not is_unmistakable and not _is_whole_name(text, *match.span(), is_number=is_number):
            continue
        separator = _IS.match(text, match.end())
        is_certain = True
        if separator is None and (tail := _TAIL.match(text, match.end())):
            separator = _IS.match(text, tail.end())
            tells = {word.lower() for word in _TAIL_WORD.findall(tail[0])}
            if separator is None or not separator["sign"] or tells & _WORDS["words_about_secrets"]:
                continue
            is_certain = text[match.start() : tail.end()].isupper()  # a variable
            is_certain |= all(word.isdigit() or word in _WORDS["words_behind_names"] for word in tells)
        if separator is None:
            number = (_NUMBER if is_number else _MIXED).match(text, match.end() + 1)
            is_shouted = text[slice(*match.span())].isupper()
            if number and (is_shouted or not is_number):  # "CVV 123", "password hunter2"
                yield number.span()
            continue
        span = _read_value(text, separator.end(), bool(separator["sign"]))
        value = text[slice(*span)]
        is_word = value.isalpha() and bool(separator["foreign"] or is_number)
        is_word |= match[0].endswith(("token", "key")) and bool(_IDENTIFIER.fullmatch(value))
        is_assigned = "=" in (separator["sign"] or "")
        is_word |= not is_assigned and _opens_sentence(text, separator.end())
        is_secret = not is_word and _is_value(value, bool(separator["sign"]))
        is_secret &= is_certain or bool(_MIXED.match(value)) or looks_random(value)
        if is_secret and (not is_number or any(map(str.isdigit, value))):
            yield span
            position = max(position, span[1])
        elif len(value) > _LONGEST_WORD:
            position = span[1]
    for match in _OPTION.finditer(text):
        name = match[1]
        is_plain_key = name.lower() in ("key", "token")
        if is_plain_key or names.search(name.lower()):
            span = _read_value(text, match.end(), True)
            if _is_value(text[slice(*span)], True):
                yield span
    for match in _ELEMENT.finditer(text):
        if names.search(match[1].lower()) and _is_value(match[2], True):
            yield match.span(2)


def _to_lower(text: str) -> str:
    """Return the text in small letters, each in its place."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _is_whole_name(text: str, start: int, end: int, *, is_number: bool) -> bool:
    """Return whether a name that could be a part of another word stands where it is none."""
    name = text[start:end]
    before, after = text[start - 1 : start], text[end : end + 1]
    is_start = not before.isalpha() or (before.islower() and name[0].isupper())
    if name.lower() == "pass":  # a variable or an option, and no verb
        return not after.isalpha() and (before in ("_", "-") or (is_start and after == "="))
    return is_start and not (is_number and after.isalpha())


def _read_value(text: str, start: int, after_sign: bool) -> Span:
    """Return the span of a value: what is in quotes, else up to the next space or the next name.

    After a sign it may stand on the next line. Plain words that follow a plain word belong to it, up to the
    first word that a sentence is made of.
    """
    if after_sign and (line_break := _NEXT_LINE.match(text, start)):
        start = line_break.end()
    quoted = _QUOTED.match(text, start)
    if quoted:
        return quoted.span(2)
    match = _BARE_VALUE.match(text, start)
    if match is None or _HIDDEN_ALREADY.fullmatch(match[0]):
        return start, start
    end = match.end()
    cut = _ENDS_VALUE.search(text, start + 1, end)
    if cut:
        end = cut.start()
    while end > start + 1 and text[end - 1] in ",;)}]\\":
        end -= 1
    if after_sign and text[start:end].isalpha() and (more := _PLAIN_WORDS.match(text, end)):
        for word in more[0].split():
            if word in _ENDS_VALUES:
                break
            end += 1 + len(word)
    return start, end


def _opens_sentence(text: str, start: int) -> bool:
    """Return whether plain words go on as a sentence does: "ask the user for it", and not "correct horse".

    A third of them are words that sentences are made of. Such a word is the first, or the second shows that
    the first is a verb: "swordfish for the shop" tells a secret.
    """
    match = _WORDS_IN_A_ROW.match(text, start)
    if match is None:
        return False
    words = match[0].lower().replace("\u2019", "'").split()
    is_opened = words[0] in _MADE_OF or words[1] in _WORDS["objects"]
    return is_opened and 3 * sum(word in _MADE_OF for word in words) >= len(words)


def _is_value(value: str, after_sign: bool) -> bool:
    """Return whether a value is not exactly a listed word, such as "required", and stands for no other.

    A sentence has more.
    """
    if not value or value == SECRET_MARK or _STAND_IN.fullmatch(value):
        return False
    word = value.casefold()
    if after_sign:
        return word not in _WORDS["ordinary"]
    word = word.strip(".,:;!?()[]<>\"'")
    return len(word) >= 3 and word not in _WORDS["ordinary"] | _WORDS["ordinary_in_sentences"]


def _find_keys(text: str) -> Iterator[Span]:
    """Yield what is said to be a key or token, if it looks random, or its name is that of a variable.

    The word before it tells of other keys: that of a table, or of a cache.
    """
    position = 0
    while match := _KEY.search(text, position):
        position = match.end()
        separator = _IS.match(text, match.end())
        if separator is None:
            continue
        before = text[max(0, match.start() - 60) : match.start()]
        kind = _BEFORE.search(before)
        if kind and kind[1].casefold() in _WORDS["kinds_of_key"]:
            continue
        start, end = _read_value(text, separator.end(), bool(separator["sign"]))
        value = text[start:end]
        position = end if len(value) > _LONGEST_WORD else position
        is_variable = separator["sign"] in ("=", ":=") and _VARIABLE.search(before)
        is_named = is_variable and len(value) >= 6 and _is_value(value, True)
        if (is_named and not value.isdigit()) or (len(value) >= 6 and looks_random(value)):
            yield start, end


def _extend_over_breaks(text: str, start: int, end: int) -> Span:
    """Return the span of a key with its further parts, where a line break or a space cuts it in two."""
    while match := _NEXT_PART.match(text, end):
        if not looks_random(match[1]):
            break
        end = match.end()
    return start, end


def looks_random(value: str) -> bool:
    """Return whether letters and digits, or capitals and small letters, mix as in no word of a language."""
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    rises = sum(first.islower() and second.isupper() for first, second in pairwise(value))
    return len(value) >= 8 and ((digits >= 2 and letters >= 2) or rises >= 2)


def _is_dense(value: str) -> bool:
    """Return whether a long run changes so often between small letters, capitals and digits that it is a key.

    Hashes and identifiers in hexadecimal digits are none, and neither are names and paths.
    """
    counts = [sum(map(test, value)) for test in (str.isdigit, str.islower, str.isupper)]
    if min(counts) < 3 or sum(counts) < 0.9 * len(value) or re.fullmatch(r"[0-9a-fA-F_-]+", value):
        return False
    kinds = [(a.isdigit(), a.islower(), a.isupper()) for a in value]
    changes = sum(first != second for first, second in pairwise(kinds))
    return changes >= 0.4 * len(value)


def _holds_login(value: str) -> bool:
    """Return whether a value is base64 of name:password, which is what Basic means."""
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_card_number(text: str) -> bool:
    """Return whether digits start as those of a card and pass its check (Luhn)."""
    from stdnum import luhn

    digits = "".join(str(unicodedata.digit(character)) for character in text if character.isdigit())
    return bool(_CARD_START.match(digits)) and luhn.is_valid(digits)


def _find_ibans(text: str) -> Iterator[Span]:
    """Yield account numbers of the length that their country has, and whose check digits are right."""
    from stdnum import iban

    for match in _IBAN.finditer(text):
        size = _iban_size(match[0][:2].upper())
        places = [place for place in range(*match.span()) if text[place].isalnum()]
        if not size or len(places) < size:
            continue
        end = places[size - 1] + 1
        ends_word = end == len(text) or not text[end].isalnum()
        if ends_word and iban.is_valid(text[match.start() : end]):
            yield match.start(), end


@cache
def _iban_size(country: str) -> int:
    """Return how many characters an account number of a country has, 0 for a country without any."""
    from stdnum import numdb

    _, properties = numdb.get("iban").info(f"{country}00")[0]
    lengths = re.findall(r"\d+", properties.get("bban", ""))
    return 4 + sum(map(int, lengths)) if lengths else 0
