"""Secrets that a log shows although GitHub has not masked them, taken out before anything of it is shown elsewhere.

bot/logs.py takes out too much rather than too little, since nobody reads its lines for their words. Here the words are
what a reader wants, so each pattern asks for what only a secret has. Commits, digests and ids stay.

What is said to be a password, a token or a key by its name is in bot/domain/named_secrets.py.
"""

import re

from bot.domain.named_secrets import MASK, mask_named

# Tokens that tell by their form whose they are.
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[pousr]_[A-Za-z0-9._-]{16,}|github_pat_\w{20,}|rlt_[\w-]{16,}"  # GitHub, Runledger
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}"  # JSON Web Tokens, RFC 7519
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|hooks\.slack\.com/services/[\w/]{20,}"
    r"|discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{5,25}/[\w-]{20,}"
    r"|(?:outlook|webhook)\.office(?:365)?\.com/webhook\w{0,4}/[\w@/-]{20,}"
    r"|gl(?:pat|rt|ptt|dt|cbt|ft|soat|agent|imt|oas)-[\w.-]{20,}|AT[AC]TT3x[\w=-]{20,}"  # GitLab, Atlassian
    r"|dckr_pat_[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|rubygems_[0-9a-f]{48}|oy2[a-z0-9]{40,46}(?![A-Za-z0-9])"
    r"|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{20,}|dapi[0-9a-f]{32}|PMAK-[0-9a-f]{20,}-[0-9a-f]{20,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[\w+/=]{20,}|sq0(?:csp|atp|idp)-[\w-]{20,}"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|lin_api_\w{20,}|sntry[su]_[\w+/=-]{20,}|fig[dou]_[\w-]{20,}"
    r"|tskey-[a-z]{1,20}-[\w-]{10,}|pul-[0-9a-f]{40}|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{20,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|do[opr]_v1_[0-9a-f]{64}|hv[sbr]\.[\w-]{20,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{20,}|\d{8,10}:AA[\w-]{33}|SK[0-9a-f]{32}(?![0-9A-Za-z])"
    r"|[MNO][A-Za-z\d]{23,27}\.[\w-]{6}\.[\w-]{27,40}"  # Discord
    r")"
    r"|(?<=/bot)\d{6,12}:[\w-]{30,}"
    # Two that begin like words of names: OpenAI's and its like, and Mailgun's.
    r"|(?<![\w-])(?:sk-(?:(?:ant|proj|or|svcacct|admin)-(?=[A-Za-z_-]{0,200}\d)[\w-]{16,}"
    r"|(?=[A-Za-z_]{0,200}\d)\w{20,})|key-[0-9a-f]{32})(?![\w-])",
    re.ASCII,
)
# Credentials in URLs: a password, a long name alone, and what a query calls a token, a key or a signature. A password
# may hold @ and /, and then ends before the last @.
_IN_URLS = re.compile(
    r"(?i)(?P<before>://[^\s/@:'\"<>]{0,200}:)"
    r"(?:[^\s/'\"<>]{1,300}(?=@(?:[\w-]{1,63}(?:\.|:\d)|localhost\b))"
    r"|(?!\d{1,5}(?:[/?#]|$))[^\s'\"<>]{1,300}(?=@))"
    r"|(?P<alone>://)[^\s/@:'\"<>]{20,500}(?=@)"
    r"|(?P<query>[?&](?:[\w-]{0,30}(?:token|secret|password|signature|credential)|sig|api_?key)=)"
    r"(?!\*\*\*)[^\s&'\"<>#]{4,}"
    r"|(?P<key>[?&](?:key|auth)=)(?=[^\s&'\"<>#\d]{0,200}\d)[^\s&'\"<>#]{16,}",
    re.ASCII,
)
_SCHEMES = r"(?:bearer|basic|token|digest|api-?key|negotiate|ntlm|hmac|aws4-hmac-sha256)"
# RFC 7617 and RFC 6750, and headers that hold nothing but credentials; with a cookie all that follow in the header.
_IN_HEADERS = re.compile(
    rf"(?i)(?P<scheme>\bauthorization\\?['\"]?[ \t]{{0,3}}[:=][ \t]{{0,3}}\\?['\"]?{_SCHEMES}[ \t]{{1,3}})"
    r"(?!\*\*\*|(?:is|was|or|and|auth|token|header|scheme|required|realm)\b)[^\s'\",\\]{6,}"
    r"|(?P<bare>\bauthorization\\?['\"]?[ \t]{0,3}[:=][ \t]{0,3}\\?['\"]?(?:[\w-]{2,30}[ \t]{1,3})?)"
    rf"(?!\*\*\*|{_SCHEMES}\b)(?=[^\s'\",\\\d]{{0,200}}\d)[^\s'\",\\]{{8,}}"
    r"|(?P<bearer>\bbearer[ \t]{1,3})(?=[a-z_.~+/=-]{0,500}\d)[\w.~+/=-]{16,}"
    r"|(?P<signature>(?<![\w-])signature=)[0-9a-f]{32,}"
    r"|(?P<cookie>\b(?:set-)?cookie\\?['\"]?:[ \t]{0,3}\\?['\"]?)(?=[\w.-]{1,80}=)(?!\*\*\*)[^'\"\n\\]{3,}"
    r"|(?P<header>\b(?:x-api-key|x-auth-token|private-token|x-vault-token)\\?['\"]?:[ \t]{0,3}\\?['\"]?)"
    r"(?!\*\*\*)[^\s'\",\\]{6,}",
    re.ASCII,
)
# What a text must hold in small letters for a pattern to be worth trying.
_WORTH_TRYING = (
    (_IN_URLS, ("://", "?", "&")),
    (_IN_HEADERS, ("authorization", "bearer", "cookie", "x-", "private-token", "signature")),
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
# RFC 7468
_BEGIN_OF_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
_INSIDE_OF_KEY = re.compile(r"[A-Za-z0-9+/=]{16,}[\\nr'\",\s]*$", re.ASCII)
_REST_OF_KEY = 20
"""A line that goes on for so many characters behind the beginning of a key holds the key."""
_ONE_OF_A_KEY = re.compile(
    r"(?=[a-z0-9+/]{0,76}[A-Z])(?=[A-Z0-9+/]{0,76}[a-z])(?=[A-Za-z+/]{0,76}\d)[A-Za-z0-9+/]{60,76}", re.ASCII
)
_LAST_OF_A_KEY = re.compile(r"[A-Za-z0-9+/]{1,76}={1,2}|(?=\D{0,76}\d)(?=.{0,76}[A-Z])[A-Za-z0-9+/]{4,76}", re.ASCII)
_FEWEST_OF_A_KEY = 3
_BEGIN_OF_OTHERS = re.compile(r"-----BEGIN (?!.{0,60}PRIVATE)[A-Z0-9 ]{1,60}-----")


def mask(text: str) -> str:
    """Return a text of one line or more with `***` for whatever looks like a secret, in as many lines as before.

    Characters that nobody sees are taken out: they would part a name or a token.
    """
    text = _INVISIBLE.sub("", text)
    if "PRIVATE KEY" in text:
        text = _without_keys(text)
    if text.count("\n") >= _FEWEST_OF_A_KEY - 1:
        text = _without_inner_lines(text)
    text = _TOKENS.sub(MASK, text)
    lowered = text.lower()
    for pattern, hints in _WORTH_TRYING:
        if any(hint in lowered for hint in hints):
            text = pattern.sub(_keep_what_is_before, text)
    return mask_named(text)


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


def _without_inner_lines(text: str) -> str:
    """Mask lines that may be a key of which neither the beginning nor the end is there."""
    lines, first = text.split("\n"), 0
    while first < len(lines):
        end = first
        while end < len(lines) and _ONE_OF_A_KEY.fullmatch(lines[end].strip()):
            end += 1
        is_other = first > 0 and _BEGIN_OF_OTHERS.search(lines[first - 1])
        if end - first >= _FEWEST_OF_A_KEY and not is_other:
            if end < len(lines) and _LAST_OF_A_KEY.fullmatch(lines[end].strip()):
                end += 1
            lines[first:end] = [MASK] * (end - first)
        first = max(end, first + 1)
    return "\n".join(lines)


def _keep_what_is_before(found: re.Match[str]) -> str:
    before = next((each for each in found.groups() if each is not None), "")
    return before + MASK
