"""What a question comes to: plain sentences, fit for a terminal and without secrets."""

from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from msgspec import Struct

from bot.logs import CONTROLS, Redactor

LONGEST_WORDS = 200
_USUAL_PORTS = {"http": 80, "https": 443}
_redact = Redactor()


class About(StrEnum):
    """What a finding is about, for whoever shows it beside other things."""

    SETTINGS = "settings"
    APP = "app"
    WEBHOOK = "webhook"
    DELIVERIES = "deliveries"
    INSTALLATIONS = "installations"
    RECORD = "record"


class Finding(Struct, frozen=True):
    """One thing that was looked at: a plain sentence, and whether it is as it should be."""

    good: bool
    sentence: str
    about: About = About.RECORD


def good(sentence: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(True, sentence)


def fault(sentence: str) -> Finding:
    """Say that something is wrong."""
    return Finding(False, sentence)


def on(about: About, *findings: Finding) -> list[Finding]:
    """Return the same findings, said to be about this."""
    return [Finding(each.good, each.sentence, about) for each in findings]


def words(text: str) -> str:
    """Return what somebody else has said so that it can stand in a sentence: short, on one line, without secrets."""
    return CONTROLS.sub(" ", _redact(text))[:LONGEST_WORDS]


def plain(url: str) -> str:
    """Return an address as it is shown and compared: without credentials, query, or a port that goes without saying."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "an address that can't be read"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    shown = "" if port in {None, _USUAL_PORTS.get(parts.scheme)} else f":{port}"
    return words(f"{parts.scheme}://{host}{shown}{parts.path}")


def host_of(url: str) -> str:
    """Return the host, and the port where there is one, of an address."""
    return plain(url).partition("://")[2].partition("/")[0]


def span(time: timedelta) -> str:
    """Return how long something took, or is ago, as coarsely as one would say it."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{max(0, minutes)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def moment(time: datetime) -> str:
    """Return a moment as one would read it off a clock in UTC."""
    return f"{time:%Y-%m-%d %H:%M} UTC"
