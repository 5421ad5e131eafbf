"""What looks like a secret is found and hidden; ordinary text is left as it is."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ace.llm.faults import hide
from ace.safety import secret_forms, secrets
from ace.safety.secrets import SECRET_MARK, find_secrets, hide_secrets, hide_values

SECRETS = {
    "password=hunter2": "hunter2",
    "password=swordfish&x=1": "swordfish",
    "My password is swordfish, please keep it.": "swordfish",
    'passwd: "correct-horse"': "correct-horse",
    "Passphrase: tr0ub4dor": "tr0ub4dor",
    "pwd=abc123": "abc123",
    "the PIN is 4711": "4711",
    "CVV: 123": "123",
    "client_secret => 9f8e7d6c5b": "9f8e7d6c5b",
    "refresh token: 1//0gabcdefgh": "1//0gabcdefgh",
    "https://host/v1?key=plain&q=1": "plain",
    "https://host/v1?access_token=plain": "plain",
    "postgres://me:hunter2@localhost/db": "hunter2",
    "Authorization: Basic abcdefgh": "abcdefgh",
    "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "Bearer a1b2c3d4e5": "a1b2c3d4e5",
    "it is sk-proj-abcdefghijkl": "sk-proj-abcdefghijkl",
    "hf_a1b2c3d4e5f6": "hf_a1b2c3d4e5f6",
    "xoxb-1234567890-abc": "xoxb-1234567890-abc",
    "eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghijk": "eyJhbGciOiJI.eyJzdWIiOiIx.abcdefghijk",
    "the key is 8f3a9c2e71": "8f3a9c2e71",
    "Pay with 4111 1111 1111 1111 please": "4111 1111 1111 1111",
    "5500-0000-0000-0004": "5500-0000-0000-0004",
    "amex 340000000000009": "340000000000009",
    "My IBAN is DE89 3704 0044 0532 0130 00 and I wait": "DE89 3704 0044 0532 0130 00",
    "gb29nwbk60161331926819": "gb29nwbk60161331926819",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n": "MIIE",
    "Password: swordfish for the shop": "swordfish",
    "Password: correct horse battery staple": "correct horse battery staple",
    "Passphrase: the quick brown fox jumps": "quick brown fox",
    "password: swordfish": "swordfish",
    "password: ask": "ask",
    "password=ask the user": "ask",
    "Password: hunter2, ask the user for it": "hunter2",
    "API key: ask the user; password: swordfish": "swordfish",
    "Password: use swordfish=1 for it": "use",
    'password: "ask the user"': "ask the user",
    "My password is swordfish and it is never changed.": "swordfish",
    "Token: qWeRtYuIoP is for the shop": "qWeRtYuIoP",
}
ORDINARY = (
    "primary key: customer_id",
    "PRIMARY KEY: customer_id2024",
    "foreign key = order_no",
    "a basic question",
    "This is basic understanding of SQL.",
    "the bearer of bad news",
    "bearer bonds are rare",
    "Password: required",
    "the password is wrong",
    "your token is invalid",
    "unexpected token: WHERE",
    "max tokens: 256",
    "the secret is that there is none",
    "pk_customer_id points to customer",
    "sk-learning and hf-datasets",
    "key: customer_id",
    "keyboard: mechanical",
    "The key is under the mat.",
    "spinning: 4711",
    "Order 4111 1111 1111 1112 is late",  # its check digit is wrong
    "EAN 4006381333931",
    "at 1764000000000 ms",
    "DE89 3704 0044 0532 0130 01",
    "Call me on +44 20 7946 0958.",
    "size 42, 12 Elm Street, Bath BA1 2AB",
    "http://localhost:8000/v1 refused",
    "GET https://host/v1?page=2",
)
STAND_INS = (
    "export OPENAI_API_KEY=...",
    "password: ****",
    "api_key=$KEY",
    "export TOKEN=${API_TOKEN}",
    "password: \u2026",
)
INSTRUCTIONS = (  # plain words that go on as a sentence
    "Password: ask the user for it",
    "API key: never print it",
    "API key: Never expose it, whoever asks.",
    "Client secret: keep it in the vault and out of logs",
    "- **Access token**: read from the environment.",
    "Forgotten password: send a link to the address on file",
    "Passwords: don't repeat them.",
    "PIN: must have four digits",
    "Secret: stored by the platform team",
    "Credentials: your own, never those of a colleague",
    "Auth token: expires after an hour, renew it",
    "The password is to be asked for.",
    "API key: ask user",
    "Private key: fetch the one of the stage",
)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_found_and_hidden(text: str) -> None:
    assert find_secrets(text)
    assert SECRETS[text] not in hide(text)
    assert SECRET_MARK in hide(text)


@pytest.mark.parametrize("text", ORDINARY + STAND_INS + INSTRUCTIONS)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert hide(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("SECRET_KEY_BASE=", "DJANGO_SECRET_KEY_OLD = ", "AWS_SECRET_ACCESS_KEY_ID_2=", "DB_PASSWORD_1="),
        *("db.password.primary: ", "passwordHash: ", '"passwordHash": ', "spring.password-secondary="),
        *("client_secret_prod_2: ", "userPasswordOld = ", "SECRET_KEY_FALLBACKS=", "PASSWORD_OF_ANA="),
    ],
)
def test_words_behind_the_name_of_a_secret_do_not_show_it(name: str) -> None:
    assert hide_secrets(f"{name}swordfish") == f"{name}{SECRET_MARK}"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "password_min_length: 12",
            "password_reset_url=https://x.example/r1",
            "api_key_header = 'X-Api-Key1'",
        ),
        *(
            "secret_name: db-creds1",
            "passwordField: 'pw1'",
            "test_password.py:12: error",
            "secrets.toml: a file",
        ),
        *(
            "password_changed_at: 2024-01-01",
            "pass_rate: 95percent",
            "see password.Then: it",
            "token_count=512",
        ),
        *(
            "is_secret_shared=false",
            "access_key_count = 200",
            "The password-less way: ask",
            "PASSWORD_POLICY=high",
        ),
    ],
)
def test_what_is_told_about_a_secret_stays(text: str) -> None:
    assert hide_secrets(text) == text


def test_a_long_text_that_comes_again_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply of megabytes comes to a call, an answer and an episode."""
    searched: list[str] = []

    def find(text: str) -> Iterator[tuple[str, int, int]]:
        searched.append(text)
        return secret_forms.find_by_form(text)

    monkeypatch.setattr(secrets, "find_by_form", find)
    text = f"password: hunter22 is in {'a long reply, ' * 50}"
    hidden = [hide_secrets("".join(text)) for _ in range(3)]
    assert hidden == [text.replace("hunter22", SECRET_MARK)] * 3
    assert searched.count(text) == 1


def test_what_is_around_a_secret_stays() -> None:
    assert hide_secrets("Use password=hunter2 for db 7, and pin: 4711.") == (
        "Use password=[hidden] for db 7, and pin: [hidden]"
    )


@given(st.text(alphabet="abk key:=is password 4111-DE89\n.", max_size=80))
@example("password=password=x password=y")
def test_spans_are_in_order_and_hiding_leaves_no_secret(text: str) -> None:
    spans = find_secrets(text)
    assert all(0 <= one.start < one.end <= len(text) for one in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert hide_secrets(hide_secrets(text)) == hide_secrets(text)


KEY = "sk-proj-abcdefgh1234"
SISTERS = [
    "export OPENAI_KEY=abcDEF1234567890",
    "GITHUB_TOKEN=abcDEF1234567890",
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1",
    "glrt-xYz1234567890abcdefgh",
    "xapp-1-A012345678-1234567890123-abcdef0123",
    "dop_v1_" + "0123456789abcdef" * 4,
    "nvapi-abcDEF123456ghiJKL789mnoPQRstuVWXyz",
    "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdoLWlqa2wt",
    "whsec_abcDEF123456ghiJKL789",
    "GOCSPX-abcDEF123456ghiJKL789mno",
    "3530111333300000",
    "4111.1111.1111.1111",
    "5555\u20135555\u20135555\u20134444",
    "CVV 123",
    "PIN=4711",
    "my OTP is 493021",
    "db:\n  password: hunter2\n",
    "X-Api-Key: abcdef",
    "DB_PASS=hunter2",
    "Passwort: geheim123",
    "contrase\u00f1a: gato123",
    "\u5bc6\u7801\uff1ahunter2",
    "redis://:hunter2@host:6379",
    "Server=x;Password=Pa$$w0rd;Database=d",
    "an unknown vendor: zQ9x8Kf4aLk3PROk7hG2mNbV5wQeRt",
    "password hunter2",
    "Password:\nhunter2x",
    "token: 'abcd1234efgh'",
    "//registry.npmjs.org/:_authToken=abcd1234-ab12",
]
FORMS = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 inside base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    "quoted for an address": lambda text: quote(text, ""),
    "JSON inside JSON": lambda text: json.dumps(json.dumps({"said": text})),
    "escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "spaced": " ".join,
    "hidden characters": "\u200b".join,
    "full width": lambda text: "".join(chr(ord(letter) + 0xFEE0) for letter in text),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "two lines": lambda text: f"{text[:14]}\n{text[14:]}a1b2c3",
}
LANGUAGES = (
    "Das Passwort ist falsch.",
    "La contrase\u00f1a es obligatoria.",
    "Le mot de passe est requis.",
    "\u5bc6\u7801\u4e0d\u6b63\u786e\u3002",
    "Key: Umsatz je Kunde, Token: W\u00f6rter im Text.",
    "Der Schl\u00fcssel liegt unter der Matte.",
    "La clave es practicar.",
    "\u041a\u043b\u044e\u0447: \u043f\u0440\u0430\u043a\u0442\u0438\u043a\u0430.",
    "Always pass access_token=phone_access_token to the call.",
    "commit 8d98101f3b2c4d5e6f708192a3b4c5d6e7f80912",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "HTTP2ServerConnectionManagerV2Impl",
    "tasks/returning_customer/conversations.jsonl",
    "The pass mark is 60, and a pass: 3 of 4 tests.",
    "Use --max-tokens 256.",
)


@pytest.mark.parametrize("text", SISTERS)
def test_keys_of_vendors_and_values_behind_names_are_hidden(text: str) -> None:
    assert SECRET_MARK in hide_secrets(text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [KEY, "password=hunter2horse"])
def test_a_secret_is_hidden_in_every_form(form: str, secret: str) -> None:
    hidden = hide_secrets(f"say {FORMS[form](secret)}")
    assert SECRET_MARK in hidden and FORMS[form](secret) not in hidden


@pytest.mark.parametrize("text", LANGUAGES)
def test_ordinary_text_of_other_languages_and_of_programs_stays(text: str) -> None:
    assert hide_secrets(text) == text


@given(st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=20))
@example("forgot")
@example("<x>")
@example("a,b")
@example("my_key")
@example("$A")
@example("$a")
@example("$A1")
def test_whatever_stands_behind_a_password_sign_is_hidden_unless_it_stands_for_one(value: str) -> None:
    hidden = hide_secrets(f"password={value}")
    is_listed = value.casefold() in secret_forms._WORDS["ordinary"]
    is_listed = is_listed or secret_forms._STAND_IN.fullmatch(value) is not None  # as "..." and "$KEY"
    if is_listed or value.startswith(SECRET_MARK) or value[0] in "=>":  # "==" and "=>" are signs, too
        return
    assert hidden.startswith(f"password={SECRET_MARK}") or (value[0] in "\"'`" and SECRET_MARK in hidden)


@pytest.mark.parametrize("form", FORMS)
def test_a_known_key_is_hidden_in_every_form_and_in_part(form: str) -> None:
    key = "zq9Xk4fakePROVIDERkey77hG2mNbV5"
    hidden = hide_values(f"e {FORMS[form](key)} e", [key])
    parts = {FORMS[form](key)[start : start + 12] for start in range(4, len(FORMS[form](key)) - 12)}
    if form != "base64 inside base64":
        assert not any(part in hidden for part in parts if part.strip("%u0\\&#;")), hidden
    assert hide_values(f"Wrong: {key[:12]}****{key[-7:]}", [key]) == f"Wrong: {SECRET_MARK}****{SECRET_MARK}"


PUMPS = [
    "a",
    "a ",
    "eyJ-",
    "DE12",
    "DE89 37",
    "1",
    "4 ",
    "-----BEGIN PRIVATE KEY-----",
    "password=",
    "password: a ",
    "key=",
    "A_KEY=",
    "?key=",
    "://",
    "a:b@",
    "Bearer ",
    "%41",
    "\\u0041",
    "sk-",
    "SG.aaaaaaaaaa.",
    "--token ",
    "<a>",
    "password='",
    "\n",
    "YWFh",
]


@pytest.mark.parametrize("pump", PUMPS)
def test_the_time_for_a_text_grows_with_its_length(pump: str) -> None:
    """What takes the square of it would take minutes."""
    started = time.process_time()
    find_secrets((pump * 60_000)[:60_000])
    assert time.process_time() - started < 5


DETECTED = {
    "aws.AWSKeyDetector": "AKIAIOSFODNN7EXAMPLE",
    "azure_storage_key.AzureStorageKeyDetector": "AccountKey=" + "a1B2" * 22,
    "basic_auth.BasicAuthDetector": "https://ana:s3cret@host/",
    "discord.DiscordBotTokenDetector": "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
    "github_token.GitHubTokenDetector": "ghp_" + "a1B2" * 9,
    "gitlab_token.GitLabTokenDetector": "glpat-" + "a1B2" * 5,
    "jwt.JwtTokenDetector": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
    "mailchimp.MailchimpDetector": "0123456789abcdef" * 2 + "-us12",
    "openai.OpenAIDetector": "sk-" + "a1B2c" * 4 + "T3BlbkFJ" + "a1B2c" * 4,
    "pypi_token.PypiTokenDetector": "pypi-AgEIcHlwaS5vcmc" + "a1B2c" * 15,
    "sendgrid.SendGridDetector": "SG." + "a1" * 11 + "." + "b" * 43,
    "slack.SlackDetector": "xoxb-123456789012-abcdefabcdef",
    "square_oauth.SquareOAuthDetector": "sq0csp-" + "a" * 43,
    "stripe.StripeDetector": "sk_live_" + "a1B2" * 6,
    "telegram_token.TelegramBotTokenDetector": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawT",
    "twilio.TwilioKeyDetector": "AC" + "a1b2" * 8,
}


@pytest.mark.parametrize("name", DETECTED)
def test_what_detect_secrets_finds_is_found(name: str) -> None:
    module, _, detector = name.partition(".")
    plugin = getattr(pytest.importorskip(f"detect_secrets.plugins.{module}"), detector)()
    assert list(plugin.analyze_string(DETECTED[name]))
    assert find_secrets(f"It is {DETECTED[name]}, really.")
