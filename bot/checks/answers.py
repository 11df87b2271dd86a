"""What GitHub's answers tell of the App: shapes, and what is to be said of them. Nothing here asks anything."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from bot.checks.findings import Finding, fault, good, plain, span, words
from bot.checks.manifest import Grants
from bot.domain.payloads import Moment

WEBHOOK_PATH = "/api/github/webhooks"
# What GitHub says comes a moment late and is cut to the second; beyond this, times can't be compared any more.
CLOCK_TOLERANCE = timedelta(seconds=60)

T = TypeVar("T")


class App(Struct):
    """https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app."""

    id: int
    permissions: dict[str, str]
    events: list[str]
    slug: str | None = None
    html_url: str | None = None

    @property
    def name(self) -> str:
        return f"{words(self.slug)} (id {self.id})" if self.slug else f"the one with id {self.id}"

    @property
    def grants(self) -> Grants:
        return Grants(self.permissions, self.events)


class Account(Struct):
    """An enterprise has a slug where others have a login."""

    login: str | None = None
    slug: str | None = None


class Installation(Struct):
    """https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app."""

    id: int
    permissions: dict[str, str]
    events: list[str]
    account: Account | None = None
    created_at: Moment | None = None
    suspended_at: Moment | None = None

    @property
    def name(self) -> str:
        account = self.account or Account()
        return name_of(self.id, account.login or account.slug)

    @property
    def grants(self) -> Grants:
        return Grants(self.permissions, self.events)


class Hook(Struct):
    """https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app."""

    url: str | None = None
    content_type: str | None = None
    insecure_ssl: str | float | None = None


class Attempt(Struct):
    """https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook."""

    event: str
    status: str
    status_code: int
    delivered_at: Moment
    action: str | None = None

    @property
    def failed(self) -> bool:
        return not 200 <= self.status_code < 300

    @property
    def is_greeting(self) -> bool:
        """Whether it came while the App was registered, before anybody could know the secret that it is signed with."""
        return self.event == "ping" and self.status_code == 401

    @property
    def name(self) -> str:
        return words(f"{self.event}.{self.action}" if self.action else self.event)


def read(data: Any, shape: type[T]) -> T:
    """Read decoded JSON as `shape`. Raises ValueError when it is not what GitHub documents."""
    return msgspec.convert(data, shape)


def name_of(installation_id: int, login: str | None) -> str:
    """Return how sentences call an installation."""
    return f"Installation {installation_id} ({words(login)})" if login else f"Installation {installation_id}"


def judge_clock(date: datetime, now: datetime) -> list[Finding]:
    """Hold our clock against GitHub's `date`."""
    ahead = now - date
    if abs(ahead) <= CLOCK_TOLERANCE:
        return []
    which = "ahead of" if ahead > timedelta() else "behind"
    return [fault(f"This machine's clock is {span(abs(ahead))} {which} GitHub's.")]


def judge_app(app: Grants, wanted: Grants) -> list[Finding]:
    """Hold what the App asks for against the manifest."""
    missing, more = wanted.beyond(app), app.beyond(wanted)
    faults = [fault(f"The App does not ask for {each}, as app.yml does.") for each in missing.listed()]
    findings = faults or [good("The App asks for all that app.yml asks for.")]
    if listed := more.listed():
        findings.append(good(f"The App asks for more than app.yml does, which is fine: {words(', '.join(listed))}."))
    return findings


def judge_suspended(name: str) -> list[Finding]:
    """Say that an installation is suspended; what it grants does not matter until it is no more."""
    return [fault(f"{name} is suspended: GitHub sends nothing from it until it is unsuspended.")]


def judge_granted(name: str, granted: Grants, app: Grants, wanted: Grants) -> list[Finding]:
    """Hold what an installation grants against the manifest, as far as the App itself asks for it."""
    asked = wanted.within(app)
    missing = asked.beyond(granted)
    faults = [fault(f"{name} does not grant {what}: {level}.") for what, level in missing.permissions.items()]
    faults += [fault(f"{name} does not send {each} events.") for each in missing.events]
    whole = not wanted.beyond(app).listed()
    much = "all that app.yml asks for" if whole else "as much of app.yml as the App asks for"
    return faults or [good(f"{name} grants and sends {much}.")]


def judge_hook(hook: Hook, public_url: str | None) -> list[Finding]:
    """Hold the App's webhook against where the service is reached, and how it wants to be posted to."""
    if not hook.url:
        return [fault("The App's webhook has no URL, so GitHub delivers nothing.")]
    findings = [_judge_address(plain(hook.url), public_url)]
    if hook.content_type != "json":
        sends = words(hook.content_type or "form")
        findings.append(fault(f"The App's webhook sends {sends}, where its content type must be application/json."))
    if hook.url.lower().startswith("https:") and hook.insecure_ssl not in ("0", 0, None):
        findings.append(fault("The App's webhook does not verify certificates: enable SSL verification."))
    return findings


def _judge_address(address: str, public_url: str | None) -> Finding:
    if public_url is None:
        return good(f"The App's webhook leads to {address}; PUBLIC_URL is not set, so nothing tells if that is here.")
    ours = plain(public_url + WEBHOOK_PATH)
    if address != ours:
        beside = "GitHub does not tell the App's callback and setup URL: look at these there too"
        return fault(f"The App's webhook leads to {address}, but by PUBLIC_URL it should lead to {ours}. {beside}.")
    return good(f"The App's webhook leads to {address}.")


def judge_deliveries(attempts: Sequence[Attempt], now: datetime) -> list[Finding]:
    """Say how the newest of GitHub's deliveries, which come newest first, went, and how many of them failed."""
    attempts = [each for each in attempts if not each.is_greeting]
    if not attempts:
        return [good("GitHub has delivered nothing in the last three days.")]
    newest, failed = attempts[0], sum(each.failed for each in attempts)
    told = f"GitHub's last delivery, {newest.name} {span(now - newest.delivered_at)} ago,"
    tally = f"{failed or 'none'} of the newest {len(attempts)} failed"
    if newest.failed:
        return [fault(f"{told} failed with {newest.status_code}, {words(newest.status)}; {tally}.")]
    return [good(f"{told} was answered with {newest.status_code}; {tally}.")]
