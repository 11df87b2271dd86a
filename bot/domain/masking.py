"""Secrets that a log shows although GitHub has not masked them, taken out before anything of it is shown elsewhere.

bot/logs.py takes out too much rather than too little, since nobody reads its lines for their words. Here the words are
what a reader wants, so each pattern asks for what only a secret has. Commits, digests and ids stay.
"""

import re

MASK = "***"
"""What GitHub itself writes in the place of a secret."""

# Tokens that tell by their form whose they are.
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[pousr]_[A-Za-z0-9._-]{16,}|github_pat_\w{20,}|rlt_[\w-]{16,}"  # GitHub, Runledger
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}"  # JSON Web Tokens, RFC 7519
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|hooks\.slack\.com/services/[\w/]{20,}"
    r"|glpat-[\w-]{20,}|dckr_pat_[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|hf_[A-Za-z0-9]{30,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|sk-(?:ant-|proj-)?(?=[A-Za-z_-]*\d)[\w-]{20,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|do[opr]_v1_[0-9a-f]{64}|hvs\.[\w-]{20,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{20,}|\d{8,10}:AA[\w-]{33}"
    r")",
    re.ASCII,
)
# Credentials in URLs: a password, a long name alone, and what a query calls a token, a key or a signature.
_IN_URLS = re.compile(
    r"(?i)(?P<before>://[^\s/@:'\"<>]{0,200}:)[^\s/@'\"<>]{1,500}(?=@)"
    r"|(?P<alone>://)[^\s/@:'\"<>]{20,500}(?=@)"
    r"|(?P<query>[?&](?:[\w-]{0,30}(?:token|secret|password|signature|credential)|sig|(?:api)?_?key|auth)=)"
    r"(?!\*\*\*)[^\s&'\"<>#]{4,}",
    re.ASCII,
)
_SCHEMES = r"(?:bearer|basic|token|digest)"
# RFC 7617 and RFC 6750, and headers that hold nothing but credentials.
_IN_HEADERS = re.compile(
    rf"(?i)(?P<scheme>\bauthorization['\"]?[ \t]{{0,3}}[:=][ \t]{{0,3}}['\"]?(?:{_SCHEMES}[ \t]{{1,3}})?)"
    rf"(?!\*\*\*|{_SCHEMES}\b)[^\s'\",]{{8,}}"
    r"|(?P<bearer>\bbearer[ \t]{1,3})(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,}"
    r"|(?P<header>\b(?:x-api-key|x-auth-token|private-token|x-vault-token|set-cookie|cookie)['\"]?:[ \t]{0,3}['\"]?)"
    r"(?!\*\*\*)[^\s'\",]{6,}",
    re.ASCII,
)
_NAMED = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|credentials?)"
)
# A value that is a word of a message or of code says no secret: `token = None`, `password=get_password()`.
_IS_ONE = (
    r"(?!\*\*\*|(?:none|null|nil|true|false|undefined|empty|missing|required|invalid|expected|unexpected|not|is)\b"
    r"|[$<{(\[=~]|[A-Za-z_][\w.]{0,60}\(|(?:self|this|os|process|settings|config|env|secrets|args)\.)"
)
_ASSIGNED = re.compile(
    # password=…, --token=…, API_KEY = "…"
    rf"(?P<assigned>(?i:{_NAMED}[\w-]{{0,20}})[\"']?[ \t]?=>?[ \t]?[\"']?)"
    rf"(?i:{_IS_ONE})(?:(?<=[\"'])[^\"'\n]{{3,}}|[^\s\"',;&)]{{4,}})"
    # "password": "…"
    rf"|(?P<json>(?i:{_NAMED}[\w-]{{0,20}})[\"'][ \t]?:[ \t]?[\"'])(?!\*\*\*)[^\"'\n]{{3,}}"
    # DB_PASSWORD: …, as a step's environment is listed
    r"|(?P<listed>(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)"
    rf"[A-Z0-9_]{{0,20}}:[ \t]{{1,3}}[\"']?)(?i:{_IS_ONE})[^\s\"']{{6,}}"
    # password: …, if it looks like one and ends there
    rf"|(?P<told>(?i:{_NAMED}):[ \t]{{1,3}})(?=[^\s\"',;]{{0,200}}\d)(?=[^\s\"',;]{{0,200}}[A-Za-z])"
    r"[^\s\"',;:()]{8,}(?=[\s,;]|$)"
    # --password …
    rf"|(?P<flag>--(?i:[a-z-]{{0,20}}{_NAMED}) )(?![-*$<{{\[])[^\s\"']{{6,}}",
    re.ASCII,
)
# What a text must hold in small letters for a pattern to be worth trying.
_WORTH_TRYING = (
    (_IN_URLS, ("://", "?", "&")),
    (_IN_HEADERS, ("authorization", "bearer", "cookie", "x-", "private-token")),
    (_ASSIGNED, ("pass", "pwd", "secret", "token", "key", "credential")),
)
# RFC 7468
_BEGIN_OF_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
_INSIDE_OF_KEY = re.compile(r"[A-Za-z0-9+/=]{16,}[\\nr'\",\s]*$", re.ASCII)
_REST_OF_KEY = 20
"""A line that goes on for so many characters behind the beginning of a key holds the key."""


def mask(text: str) -> str:
    """Return a text of one line or more with `***` for whatever looks like a secret, in as many lines as before."""
    if "PRIVATE KEY" in text:
        text = _without_keys(text)
    text = _TOKENS.sub(MASK, text)
    lowered = text.lower()
    for pattern, hints in _WORTH_TRYING:
        if any(hint in lowered for hint in hints):
            text = pattern.sub(_keep_what_is_before, text)
    return text


def _without_keys(text: str) -> str:
    lines, is_inside = text.split("\n"), False
    for place, line in enumerate(lines):
        begin, end = _BEGIN_OF_KEY.search(line), _END_OF_KEY.search(line)
        if begin and not is_inside:
            is_inside = end is None and len(line) - begin.end() < _REST_OF_KEY
            lines[place] = (
                line[: begin.start()] + MASK + (line[end.end() :] if end and end.start() > begin.start() else "")
            )
        elif is_inside or end:
            if not is_inside:
                _mask_backwards(lines, place)
            is_inside = is_inside and end is None
            lines[place] = MASK + (line[end.end() :] if end else "")
    return "\n".join(lines)


def _mask_backwards(lines: list[str], end: int) -> None:
    """Mask what belongs to a key that begins before the text does."""
    for place in range(end - 1, -1, -1):
        if not _INSIDE_OF_KEY.search(lines[place]):
            return
        lines[place] = MASK


def _keep_what_is_before(found: re.Match[str]) -> str:
    before = next((each for each in found.groups() if each is not None), "")
    return before + MASK
