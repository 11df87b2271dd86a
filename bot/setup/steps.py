"""The steps from nothing to the first runs, and whether each is done, under way, to do or broken. Pure rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from bot.checks.answers import WEBHOOK_PATH
from bot.checks.findings import About, Finding, plain, span, words
from bot.checks.github import Told
from bot.settings import Settings
from bot.setup.choices import is_out_of_reach
from bot.setup.progress import Progress

# GitHub delivers within seconds; after so long without any there is something in between.
DELIVERS_WITHIN = timedelta(minutes=1)


class State(StrEnum):
    """How a step is."""

    DONE = "done"
    UNDER_WAY = "under way"
    TODO = "to do"
    BROKEN = "broken"


class Step(Struct, frozen=True):
    """One step: what it is called, how it is, and sentences that say why, or what to do."""

    key: str
    title: str
    state: State
    said: list[str] = field(default_factory=list)


class Known(Struct, frozen=True, kw_only=True):
    """All that the steps go by: the settings as they are now, what `doctor` says of them, GitHub's word, the record."""

    settings: Settings
    kept: list[Finding]
    told: Told
    progress: Progress
    now: datetime

    @property
    def is_registered(self) -> bool:
        return not self.settings.is_unconfigured

    def about(self, *topics: About) -> list[Finding]:
        return [each for each in self.told.findings if each.about in topics]


def steps_of(known: Known) -> list[Step]:
    """Return the steps in their order."""
    return [_base(known), _register(known), _install(known), _hear(known), _fetch(known), _sign_in(known)]


def is_over(steps: Sequence[Step]) -> bool:
    """Tell whether nothing more happens by itself: all steps but signing in, which is the person's, are done."""
    return all(step.state is State.DONE for step in steps[:-1])


def _base(known: Known) -> Step:
    faults = _faults(known.kept)
    address = known.settings.public_url
    if address is None:
        said = "PUBLIC_URL is not set: the address that your browser uses is proposed below."
    elif is_out_of_reach(address):
        said = f"The address is {plain(address)}, which only a GitHub on the same machine or network can reach."
    else:
        said = f"The address is {plain(address)}."
    goods = [each.sentence for each in known.kept if each.good]
    return Step("base", "Secret key and address", _state(faults, done=True), [*faults, *goods, said])


def _register(known: Known) -> Step:
    title = "Register the App"
    if not known.is_registered:
        said = "GitHub makes the App from a manifest; you only have to agree to it there."
        return Step("register", title, State.TODO, [said])
    settings = known.settings
    if settings.app_id is None or settings.private_key is None:
        said = "The environment says something of an App, but not APP_ID and PRIVATE_KEY: set them, or nothing of it."
        return Step("register", title, State.BROKEN, [said])
    findings = known.about(About.APP)
    faults = _faults(findings)
    return Step("register", title, _state(faults, done=True), faults or _sentences(findings))


def _install(known: Known) -> Step:
    title, told = "Install it", known.told
    names = [each.account.login or "" for each in told.installed if each.account]
    names = names or [each.account_login for each in known.progress.installed]
    if not names:
        return Step("install", title, State.TODO, ["Choose the account, and all of its repositories or some."])
    # The record may know of one that GitHub, asked some seconds ago, did not tell of yet.
    faults = _faults(known.about(About.INSTALLATIONS)) if told.installed else []
    return Step(
        "install", title, _state(faults, done=True), [*faults, f"It is installed on {words(', '.join(names))}."]
    )


def _hear(known: Known) -> Step:
    title, last = "Receive deliveries", known.progress.last_delivery_at
    faults = _faults(known.about(About.WEBHOOK))
    installed = bool(known.told.installed or known.progress.installed)
    if installed and not known.progress.has_worker:
        faults.append("No worker is alive: start `runledger worker`, or `runledger serve --worker`.")
    if last is not None:
        faults += _faults(known.about(About.DELIVERIES))
        return Step("hear", title, _state(faults, done=True), [*faults, f"The last one came {_ago(known.now - last)}."])
    if not faults and _is_overdue(known):
        faults = [*_what_to_check(known), *_faults(known.about(About.DELIVERIES))]
    waiting = ["GitHub tells of all that happens by deliveries. None has come yet."]
    return Step("hear", title, _state(faults, done=False), faults or waiting)


def _is_overdue(known: Known) -> bool:
    since = [each.created_at for each in known.told.installed if each.created_at is not None]
    return bool(since) and known.now - min(since) > DELIVERS_WITHIN


def _what_to_check(known: Known) -> list[str]:
    hook = plain((known.settings.public_url or "") + WEBHOOK_PATH)
    said = "GitHub shows an installation, but nothing has been delivered here for more than a minute."
    reach = f"Look whether GitHub can reach {hook}: the name must be known to it, a firewall must let it through,"
    return [said, f"{reach} the certificate must be good, and no proxy may ask for a password."]


def _fetch(known: Known) -> Step:
    title, histories = "Fetch the history", known.progress.histories
    if not histories:
        return Step("fetch", title, State.TODO, ["It begins by itself: the runs of the last 90 days."])
    over = sum(each.is_over for each in histories)
    faults = [
        f"The history of {words(each.repo_full_name)} is not whole: {words(each.error or 'nobody knows why')}."
        for each in histories
        if each.state == "failed"
    ]
    tally = f"{over} of {len(histories)} repositories are done, {known.progress.runs_stored} runs are stored."
    state = _state(faults, done=over == len(histories))
    if state is State.TODO and any(each.state is not None for each in histories):
        state = State.UNDER_WAY
    return Step("fetch", title, state, [*faults, tally])


def _sign_in(known: Known) -> Step:
    title, settings = "Sign in", known.settings
    if known.is_registered and (settings.github_client_id is None or settings.github_client_secret is None):
        said = "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET must be set, without which nobody can sign in."
        return Step("sign-in", title, State.BROKEN, [said])
    return Step("sign-in", title, State.TODO, ["With GitHub: you see here what you may see there."])


def _state(faults: Sequence[str], *, done: bool) -> State:
    if faults:
        return State.BROKEN
    return State.DONE if done else State.TODO


def _faults(findings: Sequence[Finding]) -> list[str]:
    return [each.sentence for each in findings if not each.good]


def _sentences(findings: Sequence[Finding]) -> list[str]:
    return [each.sentence for each in findings]


def _ago(time: timedelta) -> str:
    return "just now" if time < timedelta(minutes=1) else f"{span(time)} ago"
