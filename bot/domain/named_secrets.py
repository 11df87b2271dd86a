"""Secrets that stand behind a name, `DB_PASS=…`, `"token": "…"`, or behind an option of a command, `mysql -p…`.

A name alone makes no secret: messages, tests and code speak of passwords and tokens too. So a value is weighed, by how
it is tied to its name, and by whether it looks like a word or like chance.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

MASK = "***"
"""What GitHub itself writes in the place of a secret."""

_NAME = re.compile(
    r"(?P<word>(?i:(?:api|access|account|private|secret|encryption|signing|session|master|license|deploy|storage)"
    r"[_ -]?key|pass(?:word|wd|phrase)|pwd|secret|token|credential|sonar\.login)"
    r"|(?<![A-Za-z0-9])(?:pass|PASS|PAT|pat|_auth)(?![A-Za-z0-9])|(?<=[a-z0-9])Pass(?![a-z]))"
    r"(?P<tail>[\w-]{0,24})(?P<close>\\{0,3}[\"'])?"
    r"(?P<tie>[ \t\xa0]{0,40}(?:=>?|:=)[ \t\xa0]{0,2}|[ \t]?[:\uff1a][ \t\xa0]{0,3}|[ \t]is[ \t]|[ \t])"
    r"(?P<quote>\\{0,3}[\"'])?",
    re.ASCII,
)
_HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "sonar.login", "_auth", "pat")
_CALLED = r"(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|private[_-]?key|access[_-]?key)"
# What no name stands right before: an element of XML, what Terraform would change it to, a value on the next line.
_APART = re.compile(
    rf"(?i)(?P<element><(?:[\w-]{{1,30}}:)?[\w.-]{{0,40}}{_CALLED}>)(?!\*\*\*|\$\{{)[^<>\n]{{3,300}}(?=</)"
    rf"|(?P<changed>{_CALLED}\w{{0,20}}[\"']?[ \t]{{0,40}}=[ \t]{{0,3}}\"[^\"\n]{{0,300}}\" -> \")[^\"\n]{{1,300}}"
    rf"|(?P<below>{_CALLED}\w{{0,20}}(?:[\"'][ \t]?:[ \t]{{0,3}}\n[ \t]{{0,40}}[\"']"
    r"|=\\\n[ \t]{0,40}[\"']?|:[ \t][|>][+-]?\n[ \t]{1,40}))[^\s\"']{3,300}",
    re.ASCII,
)
# What a field is said to be, or what became of it.
_OF_A_FIELD = re.compile(
    r"(?i)(?:str|string|text|(?:var)?char|bool|boolean|int|integer|object|array|any|ok|passed|failed|changed|updated|valid"
    r"|correct|weak|hidden|prompt|input|field|secret|password|token|optional|yes|no|too|must|should|can|could|cannot)\W*"
)
_AT_THE_BEGINNING = re.compile(r"[\s>|+~\d:.TZ-]*[\w.-]*", re.ASCII)
_UNQUOTED = re.compile(r"[^\s\"',;&)]{1,500}")
_QUOTED = {mark: re.compile(rf"(?:(?!\\{{0,3}}{mark})[^\n]){{1,500}}") for mark in "\"'"}
# What a name that ends so stands for is about a secret, and is none.
_ABOUT = re.compile(
    r"(?i).*(?:names?|refs?|files?|paths?|dirs?|types?|counts?|len|length|limits?|budget|timeout|ttl|age|expir\w*"
    r"|algorithm|hash|fields?|provider|policy|ur[li]s?|endpoint|size|kind|format|version|header|min|max|status|required"
    r"|enabled|ids?|i[sz]e[rd]?|iz\w+)"
)
# Words of a message or of code.
_WORD = re.compile(
    r"(?i)(?:none|null|nil|true|false|undefined|empty|missing|required|invalid|expected|unexpected|not|is|wrong|bad"
    r"|expired|unchanged|incorrect|await|new|yield|lambda|function|typeof|unknown|unset|set|redacted)(?![\w-])"
)
_PLACEHOLDER = re.compile(r"\*\*\*|[$<{(\[=~]")
_CODE = re.compile(r"[A-Za-z_][\w.]{0,60}[(\[]|[A-Za-z_]\w{0,60}(?:\.[A-Za-z_]{1,60})+;?$", re.ASCII)
_PATH = re.compile(
    r"(?:\.{1,2}|~)[/\\]|[A-Za-z]:[/\\]|/(?:home|Users|etc|run|tmp|usr|var|opt|root|github|__\w|mnt|private|srv|data"
    r"|app|workspace|workspaces|secrets|builds|Library|dev|proc|nix|bin|lib)(?:/|$)",
    re.ASCII,
)
_SENTENCE = re.compile(r"[A-Z][a-z']*(?: [A-Za-z0-9',-]+){2,}[.!]?")
_PHRASE = re.compile(r"[a-z]{2,20}(?:-[a-z0-9]{1,20}){2,}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_]{1,60}", re.ASCII)
_IS_COMPARED = re.compile(r"\bassert\b| [!=]==? |\bexpect(?:ed|\()|\btoEqual\b")
# Names of tests and of their parameters: test_login[password=…], TestPassword/password=…
_OF_A_TEST = re.compile(r"::.*\[|(?:^|/)Test\w*/|::test_", re.ASCII)
_AGAINST = re.compile(r"(?i)(?:un)?expected[ \t]{1,3}['\"]?$")
_TOKEN = re.compile(r"[\w+=-]+", re.ASCII)
_SHORTEST_STRONG = 16

# What these commands take as a password; of the first, what is behind the colon.
_OPTION = re.compile(
    r"(?<!\S)(?P<option>-u|--(?:proxy-)?user|-p|-a)(?P<tie>[ \t]{1,3}|=)?(?P<quote>['\"])?(?P<value>[^\s'\"]{3,300})"
)
_COMMANDS = {
    "-u": re.compile(r"\b(?:curl|wget|https?)\b"),
    "-p": re.compile(r"\b(?:mysql\w*|mariadb[\w-]*|sshpass|login)\b"),
    "-a": re.compile(r"\bredis-cli\b"),
}
_LOOKED_BACK = 300


class _Named(Struct, frozen=True):
    """A value behind a name: the name's own word and its end, what ties them, and what is around them on the line."""

    word: str
    tail: str
    is_key: bool
    """Whether the name is quoted, as in JSON."""
    tie: str
    quote: str
    before: str
    line: str
    value: str

    @property
    def is_password(self) -> bool:
        return self.word.lower().startswith(("pass", "pwd"))

    @property
    def is_verdict(self) -> bool:
        """Whether it may be said of a test that it did pass: PASS: TestTransfer."""
        return self.word.lower() == "pass" and not self.is_key and re.search(r"[\w.-]$", self.before) is None

    @property
    def is_random(self) -> bool:
        """Whether letters and digits are mixed as in no word."""
        return len(self.value) >= 8 and _is_mixed(self.value)

    @property
    def is_strong(self) -> bool:
        """Whether it is too long besides to be the name of anything."""
        return len(self.value) >= _SHORTEST_STRONG and _is_mixed(self.value) and " " not in self.value


def _is_mixed(value: str) -> bool:
    return any(each.isdigit() for each in value) and any(each.isalpha() for each in value)


def mask_named(text: str) -> str:
    """Return a text with `***` in the place of what is named a secret and looks like one."""
    lowered = text.lower()
    if any(hint in lowered for hint in _HINTS):
        text = "".join(_pieces(text))
        text = _APART.sub(_of_apart, text)
    return _OPTION.sub(_of_option, text) if any(option in text for option in ("-u", "--", "-p", "-a")) else text


def _pieces(text: str) -> Iterator[str]:
    told, at = 0, 0
    while found := _NAME.search(text, at):
        at = max(found.end("word"), told)
        place = found.end()
        quote = found["quote"] or ""
        read = (_QUOTED[quote[-1]] if quote else _UNQUOTED).match(text, place)
        if read is None:
            continue
        named = _Named(
            word=found["word"],
            tail=found["tail"],
            is_key=found["close"] is not None,
            tie=found["tie"],
            quote=quote,
            before=_word_before(text, found.start()),
            line=_line_around(text, place),
            value=read[0],
        )
        if _is_secret(named):
            yield text[told:place] + MASK
            told = at = read.end()
    yield text[told:]


def _word_before(text: str, place: int) -> str:
    """Return what stands on the line before a name, as far as it matters."""
    return text[max(0, place - _LOOKED_BACK) : place].rpartition("\n")[2]


def _line_around(text: str, place: int) -> str:
    before = text[max(0, place - _LOOKED_BACK) : place].rpartition("\n")[2]
    return before + text[place : place + _LOOKED_BACK].partition("\n")[0]


def _is_secret(named: _Named) -> bool:
    if _is_harmless(named):
        return False
    tie = named.tie.strip()
    if tie in {"=", "=>", ":="}:
        return _is_assigned(named)
    if tie in {":", "\uff1a"}:
        return _is_told(named)
    return _is_spoken_of(named)


def _is_harmless(named: _Named) -> bool:
    """Tell whether a value is no secret, however it is tied to its name."""
    value, is_long = named.value, named.is_strong and len(named.value) >= 20
    if _PLACEHOLDER.match(value) or _WORD.match(value) or _PATH.match(value):
        return True
    if not named.quote and _CODE.match(value):
        return True
    if is_long:
        return False
    if _AGAINST.search(named.before) or _OF_A_TEST.search(named.before.rpartition(" ")[2]):
        return True
    if _IS_COMPARED.search(named.line) and not named.is_random:
        return True
    return _is_about(named) or _SENTENCE.fullmatch(value) is not None


def _is_about(named: _Named) -> bool:
    tail, value = named.tail, named.value
    if tail and _ABOUT.fullmatch(tail) and not named.is_strong:
        return True
    if named.word.lower() == "token" and tail.lower() == "s" and value.isdigit():
        return True
    if named.word.lower() == "pass" and not tail and value.isdigit() and len(value) < 6:
        return True
    return named.word.lower() == "token" and value.isupper() and _IDENTIFIER.fullmatch(value) is not None


def _is_assigned(named: _Named) -> bool:
    if named.word.lower() in {"pat", "_auth"}:
        return len(named.value) >= 8
    return len(named.value) >= (3 if named.quote or named.is_password else 4)


def _is_told(named: _Named) -> bool:
    """Weigh what stands behind a colon: JSON, an environment that is listed, or a message."""
    if named.is_verdict:
        return False
    if named.quote:
        return len(named.value) >= 3 and (named.is_key or named.is_password or named.is_random)
    if (named.word + named.tail).isupper() and named.tie != ":":
        return len(named.value) >= (4 if named.is_password else 6)
    if named.is_password and not named.tail and _is_the_line(named):
        return True
    if named.tie == ":":
        return named.is_password and named.is_random
    if named.is_password and _PHRASE.fullmatch(named.value) and len(named.value) >= 12:
        return True
    return named.is_random and not any(mark in named.value for mark in ":(")


def _is_the_line(named: _Named) -> bool:
    """Tell whether a line has nothing but a name and its value, which is neither a type nor a remark."""
    rest = named.line.partition(named.tie + named.value)[2].strip(" \t\r,;")
    if rest or len(named.value) < 4 or _OF_A_FIELD.fullmatch(named.value):
        return False
    return _AT_THE_BEGINNING.fullmatch(named.before) is not None and named.value[-1] not in ":.("


def _of_apart(found: re.Match[str]) -> str:
    return next(each for each in found.groups() if each is not None) + MASK


def _is_spoken_of(named: _Named) -> bool:
    """Weigh what stands behind a name and a blank: an option, a setting of a build, or a message."""
    if named.tie.strip() == "is":
        return len(named.value) >= 6 and _is_mixed(named.value)
    if _is_option(named.before):
        return len(named.value) >= 6 and named.value[0] not in "-*" and not re.match(r"[a-z]{1,10}=", named.value)
    if named.quote:
        return named.is_password and named.is_random
    return not named.is_verdict and named.is_strong and _TOKEN.fullmatch(named.value) is not None


def _is_option(before: str) -> bool:
    return before.rpartition(" ")[2].startswith("--")


def _of_option(found: re.Match[str]) -> str:
    option, value = found["option"], found["value"]
    line = found.string[max(0, found.start() - _LOOKED_BACK) : found.start()].rpartition("\n")[2]
    if not _COMMANDS.get(option, _COMMANDS["-u"]).search(line) or _PLACEHOLDER.match(value):
        return found[0]
    before = found[0][: len(found[0]) - len(value)]
    if option not in {"-p", "-a"}:
        name, colon, password = value.partition(":")
        return f"{before}{name}:{MASK}" if colon and password and not _PLACEHOLDER.match(password) else found[0]
    return before + MASK
