"""What becomes of what GitHub refused or failed to tell: it is asked for later, ever more rarely, or given up.

A refusal may be about one list or run, or about all of a repository, which shows in what is answered in between.
"""

import logging
from datetime import datetime, timedelta

from bot.github.errors import Forbidden, GitHubError, GitHubUnavailable, NotFound
from bot.history.looking import leaving_out
from bot.history.naming import NameTaken
from bot.history.progress import OUT_OF_SIGHT, counting, drop_window, give_up, put_off
from bot.history.refusals import MOST_REFUSALS, Refusals, Refused, What, delay
from bot.history.requests import PULLS
from bot.history.tools import Tools
from bot.history.wanted import letting_go, postponing
from bot.store import models
from bot.store.conversation import Conversation
from bot.store.database import is_unavailable
from bot.store.wanted import WantedRun, want_sync

log = logging.getLogger(__name__)

# What fails is given up after so many tries: that is over a week, longer than GitHub is ever away.
MOST_FAILURES = 40
# So often a backfill waits for what fails.
LET_GO_AFTER = 3
# What was refused lets the others of its repository be asked for first, which may be answered.
AFTER_OTHERS = timedelta(minutes=1)
# So often runs wait for pull requests that are refused.
RUNS_HELD = 2

_OF_ALL = Refused.LISTS, Refused.LOOKS, Refused.REPOSITORY
Asked = models.BackfillWindow | WantedRun


class Deferrals:
    """Puts off, and gives up, what is wanted of one installation; `refusals` are those of the process."""

    def __init__(self, tools: Tools, installation_id: int, refusals: Refusals) -> None:
        self._tools = tools
        self._installation_id = installation_id
        self._refusals = refusals

    def answered(self, repository: models.Repository, asked: Asked) -> None:
        """Note that nothing stands in the way of what was asked for; pull requests say nothing about runs."""
        self._refusals.forget(_what(asked))
        if isinstance(asked, WantedRun) or asked.what != PULLS:
            self._forget(repository.repository_id, _kind(asked), Refused.REPOSITORY)

    async def refused(self, repository: models.Repository, asked: Asked, error: GitHubError) -> None:
        """Give up a repository that is not there, and put off what GitHub does not tell of one that is."""
        if isinstance(error, NotFound | NameTaken):
            await want_sync(self._tools.database, self._installation_id)
        if isinstance(error, NotFound):
            await self._give_up(repository, error)
            return
        # What has been granted since shows in a new token alone.
        self._tools.github.forget(self._installation_id)
        if isinstance(error, NameTaken):
            await self._refused_all(repository, asked, error)
        elif isinstance(asked, models.BackfillWindow) and asked.what == PULLS:
            await self._refused_pull_requests(asked, error)
        else:
            await self._refused_one(repository, asked, error)

    async def failed(self, asked: Asked, error: Exception) -> None:
        """Put off what went wrong in any other way, and leave it out where it goes on doing so."""
        if isinstance(error, GitHubError):
            log.info("something is left for later: %s", error, extra=_about(asked))
        else:
            log.warning("something is left for later", extra=_about(asked), exc_info=error)
        now = self._tools.clock.now()
        if self._is_hopeless(asked, error, now):
            reason = str(error) if isinstance(error, GitHubError) else f"something went wrong: {type(error).__name__}"
            await self._leave_out(asked, reason)
            return
        until = now + delay(asked.tries)
        if isinstance(asked, models.BackfillWindow) and asked.what == PULLS and asked.tries < MOST_REFUSALS:
            await self._hold_runs(asked, until)
        await self._put_off(asked, until, has_failed=True)

    def _is_hopeless(self, asked: Asked, error: Exception, now: datetime) -> bool:
        """Tell whether it is given up. What GitHub declines is counted apart from what failed, as in an outage."""
        if is_unavailable(error):
            return False
        if isinstance(error, GitHubUnavailable):
            return asked.tries >= MOST_FAILURES
        # A run that goes on for weeks has many tries without any fault of its own.
        return self._refusals.count(_what(asked), now) >= MOST_REFUSALS

    async def out_of_sight(self, repository_id: int) -> None:
        """Give up a repository of which nothing may be asked through any installation."""
        now = self._tools.clock.now()
        self._forget(repository_id, *_OF_ALL)
        log.warning("nothing more is asked of a repository: %s", OUT_OF_SIGHT, extra={"repository": repository_id})
        await self._tools.database.transact(lambda tx: give_up(tx, repository_id, OUT_OF_SIGHT, now))

    async def _refused_all(self, repository: models.Repository, asked: Asked, error: GitHubError) -> None:
        now = self._tools.clock.now()
        times = self._refusals.count((_kind(asked), repository.repository_id), now)
        if times >= MOST_REFUSALS:
            await self._give_up(repository, error)
        else:
            await self._put_off_all(repository, now + delay(times), error)

    async def _refused_pull_requests(self, window: models.BackfillWindow, error: GitHubError) -> None:
        """Leave them out where a new token does not show them either, or where they are not found again and again."""
        now = self._tools.clock.now()
        times = self._refusals.count(_what(window), now)
        if times >= (1 if isinstance(error, Forbidden) else MOST_REFUSALS):
            log.warning("pull requests can't be listed: %s", error, extra=_about(window))
            await self._leave_out(window, None)
            return
        until = now + delay(times)
        if times < RUNS_HELD:
            await self._hold_runs(window, until)
        await self._put_off(window, until)

    async def _refused_one(self, repository: models.Repository, asked: Asked, error: GitHubError) -> None:
        kind, now = _kind(asked), self._tools.clock.now()
        of_kind, of_any = (
            self._refusals.count((each, repository.repository_id), now) for each in (kind, Refused.REPOSITORY)
        )
        of_it = self._refusals.count(_what(asked), now)
        # Others were answered since, be they of its kind, or lists where it is the one run that is asked for.
        is_alone = of_it > of_kind or (kind is Refused.LOOKS and of_it == of_kind > of_any)
        if of_it >= MOST_REFUSALS and is_alone:
            log.warning("something is left out: %s", error, extra=_about(asked))
            self._forget(repository.repository_id, kind)
            await self._leave_out(asked, str(error))
        elif of_kind >= MOST_REFUSALS:
            await self._give_up(repository, error)
        else:
            until = now + delay(max(of_kind, of_it))
            if not is_alone:
                await self._put_off_all(repository, until, error)
            log.info("something is left for later: %s", error, extra=_about(asked))
            await self._put_off(asked, until + AFTER_OTHERS)

    async def _hold_runs(self, window: models.BackfillWindow, until: datetime) -> None:
        """Let a backfill's runs wait for its pull requests: they find those that were listed before them."""
        sql = "UPDATE backfill_window SET due_at = ? WHERE backfill_id = ? AND repository_id = ? AND due_at <= ?"
        now = self._tools.clock.now()
        await self._tools.database.execute(sql, until, window.backfill_id, window.repository_id, now)

    async def _give_up(self, repository: models.Repository, error: GitHubError) -> None:
        repository_id, name, now = repository.repository_id, repository.full_name, self._tools.clock.now()
        self._forget(repository_id, *_OF_ALL)
        log.warning("nothing more is asked of a repository: %s", error, extra={"repository": repository_id})
        await self._tools.database.transact(lambda tx: give_up(tx, repository_id, str(error), now, refused_as=name))

    def _forget(self, repository_id: int, *kinds: Refused) -> None:
        self._refusals.forget(*((kind, repository_id) for kind in kinds))

    async def _put_off_all(self, repository: models.Repository, until: datetime, error: GitHubError) -> None:
        log.info("a repository is left for later: %s", error, extra={"repository": repository.repository_id})
        now = self._tools.clock.now()
        await self._tools.database.transact(lambda tx: put_off(tx, repository.repository_id, until, now))

    async def _put_off(self, asked: Asked, until: datetime, *, has_failed: bool = False) -> None:
        if isinstance(asked, models.BackfillWindow):
            sql = "UPDATE backfill_window SET due_at = ?, tries = tries + ? WHERE id = ?"
            await self._tools.database.execute(sql, until, int(has_failed), asked.id)
            return
        # What is refused is given up within hours, and its backfill waits to hear of it.
        lets_go = has_failed and asked.tries >= LET_GO_AFTER
        now = self._tools.clock.now()
        await self._tools.database.transact(lambda tx: tx.converse(_postponing(asked, until, now, lets_go=lets_go)))

    async def _leave_out(self, asked: Asked, reason: str | None) -> None:
        # A run is wanted again as long as it is not known to have ended; it has as many tries then.
        self._refusals.forget(_what(asked))
        now = self._tools.clock.now()
        if isinstance(asked, models.BackfillWindow):
            await self._tools.database.transact(lambda tx: drop_window(tx, asked, reason, now))
        else:
            await self._tools.database.transact(lambda tx: tx.converse(leaving_out(asked, now, reason)))


def _what(asked: Asked) -> What:
    return (Refused.RUN, asked.run_id) if isinstance(asked, WantedRun) else (Refused.LIST, asked.id)


def _kind(asked: Asked) -> Refused:
    return Refused.LOOKS if isinstance(asked, WantedRun) else Refused.LISTS


def _about(asked: Asked) -> dict[str, int | None]:
    more = {"run": asked.run_id} if isinstance(asked, WantedRun) else {}
    return {"repository": asked.repository_id, "backfill": asked.backfill_id, **more}


def _postponing(wanted: WantedRun, until: datetime, now: datetime, *, lets_go: bool) -> Conversation[None]:
    yield postponing(wanted, until)
    if lets_go:
        waiting = yield from letting_go(wanted)
        yield from counting(waiting, {}, now)
