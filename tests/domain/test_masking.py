"""What is taken for a secret, and what is not."""

import time

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

ALSO_SECRETS = [
    ("export DB_PASS=Sup3rS3cret!", "export DB_PASS=***"),
    ("DB_PASS: Sup3rS3cret!", "DB_PASS: ***"),
    ('db_pass = "Sup3rS3cret!"', 'db_pass = "***"'),
    ("user=admin pass=Sup3rS3cret!", "user=admin pass=***"),
    ("keystore.pass=Abc12345", "keystore.pass=***"),
    ("PGPASSWORD=abc psql", "PGPASSWORD=*** psql"),
    ("MYSQL_PWD=hunter2", "MYSQL_PWD=***"),
    ("ENCRYPTION_KEY=abcdef0123456789", "ENCRYPTION_KEY=***"),
    ("SIGNING_KEY=abcdef0123456789", "SIGNING_KEY=***"),
    ("SESSION_KEY: abcdef123456789", "SESSION_KEY: ***"),
    ("secret key: wJalrXUtnFEMI/K7MDENG", "secret key: ***"),
    ("GH_PAT: abcdefghijklmnop1234567890", "GH_PAT: ***"),
    ("PAT=abcdefghijklmnop1234567890", "PAT=***"),
    ("_auth = dXNlcjpwYXNzd29yZA==", "_auth = ***"),
    ("-Dsonar.login=0123456789abcdef01234567", "-Dsonar.login=***"),
    ("storePassword 'Abc12345'", "storePassword '***'"),
    ("SecretString: hello-World-1234", "SecretString: ***"),
    ('password: "correct horse"', 'password: "***"'),
    ('password = "it\'s hunter2", x', 'password = "***", x'),
    (r"{\"token\":\"abcdefghij\",\"id\":1}", r"{\"token\":\"***\",\"id\":1}"),
    ("curl -u admin:Sup3rS3cret https://x.y/z", "curl -u admin:*** https://x.y/z"),
    ("curl -s --user 'admin:Sup3r S3cret' x", "curl -s --user 'admin:*** S3cret' x"),
    ("mysql -u root -pSup3rS3cret shop", "mysql -u root -p*** shop"),
    ("sshpass -p Sup3rS3cret ssh a@b", "sshpass -p *** ssh a@b"),
    ("docker login -u a -p Sup3rS3cret", "docker login -u a -p ***"),
    ("redis-cli -h x -a Sup3rS3cret", "redis-cli -h x -a ***"),
    ("Authorization: ApiKey VnVhQ2ZHY0JDZGJr==", "Authorization: ApiKey ***"),
    ("authorization=Bearer abcdef", "authorization=Bearer ***"),
    (f"AWS4-HMAC-SHA256 SignedHeaders=host, Signature={DIGEST}", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=***"),
    ("-H 'Cookie: theme=dark; session=abcdef123456' x", "-H 'Cookie: ***' x"),
    ("redis://default:p@ss/w0rd@host:6379", "redis://default:***@host:6379"),
    ("postgresql://user:p@ssw0rd@host/db", "postgresql://user:***@host/db"),
    ("https://user:pw@host.example/x?to=a@b.example", "https://user:***@host.example/x?to=a@b.example"),
    ("POST https://discord.com/api/webhooks/123456789012345678/" + "aB3_" * 15, "POST https://***"),
    (f"https://acme.webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/{'a' * 32}/1", "https://acme.***"),
    ("password is Sup3rS3cret1", "password is ***"),
    ("password: correct-horse-battery", "password: ***"),
    ("token abcdefghij1234567890abcdef was rejected", "token *** was rejected"),
    (
        "Base64:\n" + "aB1/" * 16 + "\n" + "Cd2+" * 16 + "\n" + "eF3x" * 16 + "\nAb==\nend",
        "Base64:\n***\n***\n***\n***\nend",
    ),
]

BY_NAME_ALONE = [
    ("password: hunter2", "password: ***"),
    ("Password: correcthorse", "Password: ***"),
    ("  - passphrase: tiger", "  - passphrase: ***"),
    ("DB_PASSWORD: abc12", "DB_PASSWORD: ***"),
    ("password\uff1ahunter2", "password\uff1a***"),
    ("password=\u00a0hunter2", "password=\u00a0***"),
    ("pass\u200bword=hunter2", "password=***"),
    ("<password>hunter2</password>", "<password>***</password>"),
    ("<ns:clientSecret>abc</ns:clientSecret>", "<ns:clientSecret>***</ns:clientSecret>"),
    ('~ password       = "hunter2" -> "hunter3"', '~ password       = "***" -> "***"'),
    ('"password":\n  "hunter2"', '"password":\n  "***"'),
    ("DB_PASSWORD=\\\nhunter2", "DB_PASSWORD=\\\n***"),
    ("password: |\n  hunter2", "password: |\n  ***"),
    (
        "https://api.telegram.org/bot123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/x",
        "https://api.telegram.org/bot***/x",
    ),
    ("SK" + "0a1b2c3d4e5f6071" * 2, "***"),
]
SAYS_NOTHING = [
    "password is required",
    "password: required",
    "Password: string",
    "password: must not be empty",
    "token: expected ';'",
    "key: value",
    "error: mapping values are not allowed here: name: shop",
    "secret: not found",
    "TOKEN: missing",
    "<password></password>",
    "<password>${PASSWORD}</password>",
    "password:\n  minLength: 8",
    "FAIL: test_password: expected 3",
    "Password: ********",
]

BY_PREFIX = [
    "glrt-" + "abcdefghij0123456789", "glptt-" + DIGEST, "ATATT3x" + "FfGF0abcdefghijklmnopqrstuv=AB12",
    "ATCTT3x" + "FfGN0abcdefghijklmnopqrstuv", "shpat_" + "0123456789abcdef" * 2, "lin_api_" + "a1B2" * 10,
    "PMAK-" + DIGEST[:24] + "-" + DIGEST[:34], "dapi" + "0123456789abcdef" * 2, "rubygems_" + "0123456789abcdef" * 3,
    "oy2" + "a1b2c3d4e5" * 4 + "xyz", "whsec_" + "a1B2" * 8, "sq0csp-" + "a1B2" * 10, "sntrys_" + "eyJpYXQi" * 4,
    "figd_" + "a1B2" * 10, "tskey-auth-" + "abcdef1CNTRL-abcdefghij", "pul-" + DIGEST, "dp.pt." + "a1B2" * 10,
    "gsk_" + "a1B2" * 10, "key-" + DIGEST[:32], "hvb." + "AAAAAQ" + "a1B2" * 6, "sk-proj-" + "abcDEF123_abcdefghij",
    "sk-ant-api03-" + "abcdefghijklmnop", "sk-" + "a1B2" * 8,
]  # fmt: skip

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
    "-----BEGIN CERTIFICATE-----\n" + ("aB1/" * 16 + "\n") * 4 + "-----END CERTIFICATE-----",
    f"{DIGEST}{DIGEST[:24]}\n" * 4,
    "error: unexpected token=IDENTIFIER",
    "Unexpected token: Identifier42",
    "tests/test_auth.py::test_login[password=short1]",
    "--- FAIL: TestPassword/password=short_is_rejected (0.00s)",
    "E       assert {'token': 'abc'} == {'token': 'def'}",
    '{"password": "This field is required."}',
    'Expected password: "Must be at least 8 chars"',
    "PWD=/home/runner/work/shop",
    "OLDPWD=/home/runner",
    "PASSWORD_FILE: /run/secrets/db",
    "SECRET_NAME: production-db",
    "secretName=my-secret",
    "secretKeyRef=postgres",
    "max_tokens=4096",
    "token_count=1024",
    "token_type=Bearer",
    "TOKENIZER: bert-base-uncased",
    "PASSWORD_RESET_TIMEOUT=86400",
    "docker build --secret id=mysecret,src=x .",
    "GET https://x.example/wiki?key=some-page-id",
    "Cookie: missing",
    "const token = await getToken()",
    "const apiKey = process.env.API_KEY",
    'password = request.form["password"]',
    "private_key: /etc/ssl/key.pem1",
    "bootstrap sk-spinner-circle-fade-dot-12",
    "3 passed, pass=3 fail=1",
    "--- PASS: TestCreatesWorkerError2 (0.67s)",
    "PASS src/components/button2.test.ts",
    "tests/test_node.py::test_opens_token \x1b[32mPASSED\x1b[0m\x1b[32m [ 10%]",
    "docker run -u 1000:1000 -p 8080:80 image",
    "mkdir -p build/output",
    "https://registry.example:4873/@scope/name",
    'secret "database-url" not found',
]


@pytest.mark.parametrize(("text", "masked"), SECRETS + ALSO_SECRETS)
def test_a_secret_is_masked_and_nothing_around_it(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("token", BY_PREFIX)
def test_a_token_is_known_by_its_form(token: str) -> None:
    assert mask(f"using {token}, and") == "using ***, and"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


PIECES = [text for text, _ in SECRETS + ALSO_SECRETS] + HARMLESS


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=10)), max_size=6), st.sampled_from(" \n"))
def test_no_line_is_lost_and_no_secret_stays_among_others(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    masked = mask(text)
    assert masked.count("\n") == text.count("\n")
    assert not any(secret in masked for secret in (GITHUB, AWS, JWT, "MIIEpAIBAAKCAQEA"))


@pytest.mark.parametrize("text", [masked for _, masked in SECRETS + ALSO_SECRETS])
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "piece",
    ["pat ", "password=", "--token ", "://a:", "://a:b@", "-u a:", "curl -u ", "eyJaaaaaaaa.", "sk-", "bearer a",
     "cookie: a=", "authorization: a ", "aB1" * 23 + "\n", "-----BEGIN PRIVATE KEY-----", "\\", "a", "?key="],
)  # fmt: skip
def test_the_time_it_takes_grows_with_the_text_alone(piece: str) -> None:
    began = time.perf_counter()
    mask(piece * (4_000 // len(piece)))
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(("text", "expected"), BY_NAME_ALONE)
def test_what_a_name_alone_tells_to_be_a_secret(text: str, expected: str) -> None:
    assert mask(text) == expected
    assert mask(mask(text)) == expected


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_what_only_speaks_of_secrets_stays_readable(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("piece", ["<password>", "password ", 'secret = "a" -> "', '"token":\n', "password:", "\u200b"])
def test_what_goes_on_and_on_is_masked_in_linear_time(piece: str) -> None:
    assert len(mask(piece * 4_000)) <= len(piece) * 4_000
