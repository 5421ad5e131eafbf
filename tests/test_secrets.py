"""What looks like a secret is found and hidden; ordinary text is left as it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ace.llm.faults import hide
from ace.safety.secrets import SECRET_MARK, find_secrets, hide_secrets

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


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_found_and_hidden(text: str) -> None:
    assert find_secrets(text)
    assert SECRETS[text] not in hide(text)
    assert SECRET_MARK in hide(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert hide(text) == text


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
