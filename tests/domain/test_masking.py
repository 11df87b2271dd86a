"""What is taken for a secret, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.masking import mask

GITHUB = "ghp_" + "a1B2" * 9
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcdefghijklmnop\n-----END RSA PRIVATE KEY-----"
DIGEST = "9f8e7d6c5b4a39f8e7d6c5b4a39f8e7d6c5b4a39"
UUID = "0b1f2c3d-4e5f-6789-abcd-ef0123456789"

SECRETS = [
    (f"using {GITHUB} now", "using *** now"),
    (f"ghs_{'x' * 300}.{'y' * 200}", "***"),
    ("github_pat_" + "11ABCDEFG0" * 4, "***"),
    (f"rlt_{'k' * 32}", "***"),
    (f"key {AWS}!", "key ***!"),
    (f"got {JWT} back", "got *** back"),
    ("xoxb-" + "123456789012-abcdefghijkl", "***"),
    ("glpat-" + "abcdefghij0123456789", "***"),
    ("npm_" + "a" * 36, "***"),
    ("sk_live_" + "abcdefghijkl", "***"),
    ("AIza" + "b" * 35, "***"),
    ("fatal: https://bot:hunter2@git.example/x", "fatal: https://bot:***@git.example/x"),
    (f"clone https://{'t0' * 12}@git.example/x", "clone https://***@git.example/x"),
    ("GET /x?a=1&access_token=abcd1234&b=2", "GET /x?a=1&access_token=***&b=2"),
    ("PUT https://s3/x?X-Amz-Signature=abcdef01", "PUT https://s3/x?X-Amz-Signature=***"),
    ("> Authorization: Bearer abcdefgh12345678", "> Authorization: Bearer ***"),
    ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ***"),
    ("sent bearer abcdefgh12345678", "sent bearer ***"),
    ("X-Api-Key: abcdef123", "X-Api-Key: ***"),
    ("password=hunter2", "password=***"),
    ("DB_PASSWORD=hunter2 make", "DB_PASSWORD=*** make"),
    ("db_password = 'correct horse'", "db_password = '***'"),
    ("  DB_PASSWORD: correcthorse", "  DB_PASSWORD: ***"),
    ("password: hunter2secret", "password: ***"),
    ('{"client_secret": "abc def", "id": 1}', '{"client_secret": "***", "id": 1}'),
    ("AccountKey=abcdEFGH0123==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
    ("login --password hunter22 --verbose", "login --password *** --verbose"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = ***"),
    (f"before\n{KEY}\nafter", "before\n***\n***\n***\n***\nafter"),
    ("x\n" + KEY.rpartition("\n")[0], "x\n***\n***\n***"),
    (KEY.partition("\n")[2] + "\nafter", "***\n***\n***\nafter"),
    ('"key": "-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA', '"key": "***'),
    ("a -----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY----- b", "a *** b"),
]

HARMLESS = [
    f"HEAD is now at {DIGEST}",
    f"sha256:{DIGEST}{DIGEST[:24]}",
    f"request id {UUID}",
    "Unexpected token: }",
    "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "error: unexpected token: identifier",
    "missing bearer token in header",
    "Bearer authentication is required",
    "assert token == expected",
    "password = get_password()",
    "token = None",
    "token=settings.token",
    "E       KeyError: 'password'",
    "Error: Input required and not supplied: token",
    "##[error]The secret is not set",
    "password: ***",
    "TOKEN: ${{ secrets.TOKEN }}",
    "Cache restored from key: linux-node-" + DIGEST,
    "git@github.com:octo/shop.git",
    "https://registry.example/@scope/name",
    "https://github.com/octo/shop/actions/runs/1?pr=2",
    "test_password_reset_token failed",
    "tests/test_token.py:12: AssertionError",
    "weighs_total != weighs_more",
    "expected 3 passwords, got 2",
    "-----BEGIN CERTIFICATE-----",
]


@pytest.mark.parametrize(("text", "masked"), SECRETS)
def test_a_secret_is_masked_and_nothing_around_it(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


PIECES = [text for text, _ in SECRETS] + HARMLESS


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=10)), max_size=6), st.sampled_from(" \n"))
def test_no_line_is_lost_and_no_secret_stays_among_others(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    masked = mask(text)
    assert masked.count("\n") == text.count("\n")
    assert not any(secret in masked for secret in (GITHUB, AWS, JWT, "MIIEpAIBAAKCAQEA"))


@pytest.mark.parametrize("text", [masked for _, masked in SECRETS])
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert mask(text) == text
