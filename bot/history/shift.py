"""The work on one installation's history, a step at a time: from the most urgent thing to the least.

A run that has stood still comes first, then lists, then single runs. What GitHub can't do now is left for later, what
it declines for good is given up; the rows say so, and nothing else is held up.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.domain.wanting import RunState, Urgency
from bot.github import Client, Lane
from bot.github.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InstallationGone,
    InstallationRefused,
    InstallationSuspended,
    NotFound,
    RateLimited,
    Unauthorized,
)
from bot.history.keeping import Keeper
from bot.history.listing import list_page
from bot.history.looking import leaving_out, look_at_run
from bot.history.naming import NameTaken
from bot.history.progress import counting, drop_window, give_up, hand_over, put_off
from bot.history.requests import PULLS, RUNS
from bot.history.tools import Tools
from bot.history.wanted import letting_go, next_wanted, postponing, run_states
from bot.store import models
from bot.store.conversation import Conversation
from bot.store.database import is_unavailable
from bot.store.wanted import WantedRun, want_sync

log = logging.getLogger(__name__)

# More than the client lets be under way, so that what was answered meanwhile can share a commit.
AT_ONCE = 16
# What fails again and again is tried ever more rarely; what can't be done, and not because GitHub is away, is given up
# after so many tries.
FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=5), timedelta(hours=6)
MOST_REFUSALS = 5
# That is over a week, longer than GitHub is ever away.
MOST_FAILURES = 40
# So often a backfill waits for what fails.
LET_GO_AFTER = 3
# With these nothing can be asked; whatever else goes wrong is about the one thing that was.
NOTHING_CAN_BE_ASKED = (RateLimited, Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)

ASKED = range(Urgency.ASKED, Urgency.UNFINISHED)
UNFINISHED = range(Urgency.UNFINISHED, Urgency.FAILED)
OTHERS = range(Urgency.FAILED, Urgency.OTHER + 1)


# By repository, of its lists and of looks at its runs apart: how often of late they were refused, and until when that
# counts as once. What fails is counted with each, and has nothing to do with it.
TimesRefused = dict[tuple[int, type], tuple[int, datetime]]


class Shift:
    """Each step returns whether there was anything to do, and raises a GitHubError where GitHub can't be asked now."""

    def __init__(self, tools: Tools, installation_id: int, refused: TimesRefused) -> None:
        self._tools = tools
        self._times_refused = refused
        self._installation_id = installation_id
        self._live = tools.github.installation(installation_id)
        self._backfill = tools.github.installation(installation_id, lane=Lane.BACKFILL)
        self._keeper = Keeper(tools.database, tools.clock)
        # Whoever had the lease before has used some of this hour.
        self._backfill.expect_others()

    async def answer(self) -> bool:
        """Ask about the runs that somebody waits for, with what is left of half of the hour once that is used."""
        outlook = self._live.outlook()
        is_plenty = outlook.remaining > outlook.limit / 2
        return await self._look_at(ASKED, self._live if is_plenty else self._backfill)

    async def fetch(self) -> bool:
        """Do what is most urgent of all the rest."""
        return (
            await self._look_at(UNFINISHED, self._backfill)
            or await self._list()
            or await self._look_at(OTHERS, self._backfill)
        )

    async def _list(self) -> bool:
        now = self._tools.clock.now()
        mine = models.BackfillWindow.filter(installation_id=self._installation_id, due_at__lte=now)
        mine = mine.using_db(self._tools.database.client)
        # In two steps, each of which the index answers without sorting; there may be many thousands.
        most_urgent = await mine.order_by("urgency").first()
        if most_urgent is None:
            return False
        window = await mine.filter(urgency=most_urgent.urgency).order_by("-until", "-id").first() or most_urgent
        repository = await self._repository(window.repository_id)
        if repository is None:
            return True
        try:
            await list_page(self._tools, self._backfill, repository, window)
            if window.what == RUNS:
                self._times_refused.pop((repository.repository_id, models.BackfillWindow), None)
        except (NotFound, Forbidden, NameTaken) as error:
            await self._refused(repository, error, window)
        except NOTHING_CAN_BE_ASKED:
            raise
        except Exception as error:  # noqa: BLE001
            await self._postpone_window(window, error)
            _raise_if_away(error)
        return True

    async def _look_at(self, urgencies: range, client: Client) -> bool:
        now = self._tools.clock.now()
        wanted = await next_wanted(self._tools.database, self._installation_id, urgencies, now, AT_ONCE)
        if not wanted:
            return False
        looks = await self._looks(client, wanted)
        ended = await asyncio.gather(*looks, return_exceptions=True)
        faults = [each for each in ended if isinstance(each, BaseException)]
        for fault in faults:
            # A run that GitHub never manages to tell of is left for later; it is away if it manages none.
            if len(faults) == len(ended) or not isinstance(fault, GitHubUnavailable):
                raise fault
        return True

    async def _looks(self, client: Client, wanted: Sequence[WantedRun]) -> list[Coroutine[Any, Any, None]]:
        """Return a look at each of these runs of which something may be asked.

        What goes wrong here is the database's trouble and no run's: none is put off for it, and all are tried again.
        """
        repositories = {each: await self._repository(each) for each in {each.repository_id for each in wanted}}
        known = await self._tools.database.reader.converse(run_states([each.run_id for each in wanted]))
        states = {run_id: state for run_id, (state, _) in known.items()}
        return [
            self._look(client, repository, each, states.get(each.run_id))
            for each in wanted
            if (repository := repositories[each.repository_id]) is not None
        ]

    async def _look(
        self, client: Client, repository: models.Repository, wanted: WantedRun, state: RunState | None
    ) -> None:
        try:
            found = await look_at_run(self._tools, client, repository, wanted, state)
            if found is not None:
                await self._keeper.keep(found)
        except (NotFound, Forbidden, NameTaken) as error:
            await self._refused(repository, error, wanted)
        except NOTHING_CAN_BE_ASKED:
            raise
        except Exception as error:  # noqa: BLE001
            await self._postpone_run(wanted, error)
            _raise_if_away(error)

    async def _repository(self, repository_id: int) -> models.Repository | None:
        """Return a repository as it stands now, None where nothing may be asked of it through this installation."""
        mine = models.Repository.filter(repository_id=repository_id).using_db(self._tools.database.client)
        repository = await mine.first()
        theirs = None if repository is None or repository.hidden_at is not None else repository.installation_id
        if theirs is None:
            await self._give_up(repository_id, None)
        elif theirs != self._installation_id:
            await self._tools.database.transact(lambda tx: hand_over(tx, repository_id, theirs))
        else:
            return repository
        return None

    async def _refused(
        self, repository: models.Repository, error: GitHubError, asked: models.BackfillWindow | WantedRun
    ) -> None:
        """Give up a repository that is not there, and put off what GitHub forbids, for some tries."""
        if isinstance(error, NotFound | NameTaken):
            await want_sync(self._tools.database, self._installation_id)
        if isinstance(error, NotFound):
            await self._give_up(repository.repository_id, error)
            return
        # What has been granted since shows in a new token alone.
        self._tools.github.forget(self._installation_id)
        now = self._tools.clock.now()
        if isinstance(error, Forbidden) and isinstance(asked, models.BackfillWindow) and asked.what == PULLS:
            log.warning("pull requests can't be listed: %s", error, extra={"repository": repository.repository_id})
            await self._tools.database.transact(lambda tx: drop_window(tx, asked, None, now))
            return
        tries = self._count_refusal(asked, now)
        if tries < MOST_REFUSALS:
            _say_why("a repository", error, repository=repository.repository_id)
            until = now + delay(tries)
            await self._tools.database.transact(lambda tx: put_off(tx, repository.repository_id, until, now))
        else:
            await self._give_up(repository.repository_id, error)

    def _count_refusal(self, asked: models.BackfillWindow | WantedRun, now: datetime) -> int:
        """Return how often it was before; several at once count once, and long past ones not at all."""
        key = asked.repository_id, type(asked)
        times, until = self._times_refused.get(key, (0, now))
        if now < until:
            return times - 1
        if now > until + 2 * LONGEST_DELAY:
            times = 0
        self._times_refused[key] = times + 1, now + delay(times)
        return times

    async def _give_up(self, repository_id: int, error: GitHubError | None) -> None:
        for kind in (models.BackfillWindow, WantedRun):
            self._times_refused.pop((repository_id, kind), None)
        reason = str(error or "the App is not installed on the repository any more")
        log.warning("nothing more is asked of a repository: %s", reason, extra={"repository": repository_id})
        now = self._tools.clock.now()
        refused = error is not None
        await self._tools.database.transact(lambda tx: give_up(tx, repository_id, reason, now, refused=refused))

    async def _postpone_window(self, window: models.BackfillWindow, error: Exception) -> None:
        _say_why("a window", error, backfill=window.backfill_id)
        now = self._tools.clock.now()
        if _is_hopeless(error, window.tries):
            reason = str(error) if isinstance(error, GitHubError) else f"something went wrong: {type(error).__name__}"
            await self._tools.database.transact(lambda tx: drop_window(tx, window, reason, now))
            return
        sql = "UPDATE backfill_window SET due_at = ?, tries = tries + 1 WHERE id = ?"
        await self._tools.database.execute(sql, now + delay(window.tries), window.id)

    async def _postpone_run(self, wanted: WantedRun, error: Exception) -> None:
        _say_why("a run", error, run=wanted.run_id)
        if _is_hopeless(error, wanted.tries):
            await self._tools.database.transact(lambda tx: tx.converse(leaving_out(wanted, self._tools.clock.now())))
            return
        now = self._tools.clock.now()
        await self._tools.database.transact(lambda tx: tx.converse(_postponing(wanted, now)))


def _postponing(wanted: WantedRun, now: datetime) -> Conversation[None]:
    yield postponing(wanted, now + delay(wanted.tries))
    if wanted.tries >= LET_GO_AFTER:
        waiting = yield from letting_go(wanted)
        yield from counting(waiting, {}, now)


def _say_why(what: str, error: Exception, **about: int) -> None:
    if isinstance(error, GitHubError):
        log.info("%s is left for later: %s", what, error, extra=about)
    else:
        log.warning("%s is left for later", what, extra=about, exc_info=error)


def _is_hopeless(error: Exception, tries: int) -> bool:
    if is_unavailable(error):
        return False
    return tries >= (MOST_FAILURES if isinstance(error, GitHubUnavailable) else MOST_REFUSALS)


def _raise_if_away(error: Exception) -> None:
    if isinstance(error, GitHubUnavailable) or is_unavailable(error):
        raise error


def delay(tries: int) -> timedelta:
    """Return how long to wait after that many failures."""
    return min(FIRST_DELAY * (1 << min(tries, 10)), LONGEST_DELAY)
