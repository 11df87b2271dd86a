"""The work on one installation's history, a step at a time: from the most urgent thing to the least.

A run that has stood still comes first, then lists, then single runs. What GitHub can't do now is left for later, what
it declines for good is given up; the rows say so, and nothing else is held up.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import datetime
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
from bot.history.naming import NameTaken, NotListed
from bot.history.progress import counting, drop_window, give_up, hand_over, put_off
from bot.history.refusals import MOST_REFUSALS, Refusals, Refused, What, delay
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
# What fails is given up after so many tries: that is over a week, longer than GitHub is ever away.
MOST_FAILURES = 40
# So often a backfill waits for what fails.
LET_GO_AFTER = 3
# With these nothing can be asked; whatever else goes wrong is about the one thing that was.
NOTHING_CAN_BE_ASKED = (RateLimited, Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)

ASKED = range(Urgency.ASKED, Urgency.UNFINISHED)
UNFINISHED = range(Urgency.UNFINISHED, Urgency.FAILED)
OTHERS = range(Urgency.FAILED, Urgency.OTHER + 1)


class Shift:
    """Each step returns whether there was anything to do, and raises a GitHubError where GitHub can't be asked now."""

    def __init__(self, tools: Tools, installation_id: int, refusals: Refusals) -> None:
        self._tools = tools
        self._refusals = refusals
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
            self._refusals.forget((Refused.WINDOW, window.id))
            if window.what == RUNS:
                self._refusals.forget((Refused.LISTS, repository.repository_id))
        except (NotFound, NotListed, Forbidden, NameTaken) as error:
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
                self._refusals.forget((Refused.LOOKS, repository.repository_id), (Refused.RUN, wanted.run_id))
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
        if isinstance(asked, models.BackfillWindow) and asked.what == PULLS and not isinstance(error, NameTaken):
            await self._leave_out_pull_requests(asked, error, now)
            return
        kind = Refused.LOOKS if isinstance(asked, WantedRun) else Refused.LISTS
        times = self._refusals.count((kind, repository.repository_id), now)
        if times >= MOST_REFUSALS:
            await self._give_up(repository.repository_id, error)
            return
        if isinstance(asked, models.BackfillWindow) and self._is_alone(asked, error, now):
            await self._leave_out(asked, error, str(error), now)
            return
        _say_why("a repository", error, repository=repository.repository_id)
        until = now + delay(times)
        await self._tools.database.transact(lambda tx: put_off(tx, repository.repository_id, until, now))
        if isinstance(error, Forbidden) and isinstance(asked, WantedRun):
            # It may be this run alone, and then the others of the repository are answered in between.
            await self._postpone_run(asked, error, until)

    def _is_alone(self, window: models.BackfillWindow, error: GitHubError, now: datetime) -> bool:
        """Tell whether one list was refused so often, while others of its repository were answered in between."""
        what = Refused.WINDOW, window.id
        return not isinstance(error, NameTaken) and self._refusals.count(what, now) >= MOST_REFUSALS

    async def _leave_out_pull_requests(self, window: models.BackfillWindow, error: GitHubError, now: datetime) -> None:
        """Leave out pull requests that a new token does not show either, or that are not found again and again."""
        times = self._refusals.count((Refused.WINDOW, window.id), now)
        if times >= (1 if isinstance(error, Forbidden) else MOST_REFUSALS):
            await self._leave_out(window, error, None, now)
            return
        sql = "UPDATE backfill_window SET due_at = ? WHERE id = ?"
        await self._tools.database.execute(sql, now + delay(times), window.id)

    async def _leave_out(
        self, window: models.BackfillWindow, error: GitHubError, reason: str | None, now: datetime
    ) -> None:
        self._refusals.forget((Refused.WINDOW, window.id))
        about = {"repository": window.repository_id, "backfill": window.backfill_id}
        log.warning("a list of %s is left out: %s", window.what, error, extra=about)
        await self._tools.database.transact(lambda tx: drop_window(tx, window, reason, now))

    async def _give_up(self, repository_id: int, error: GitHubError | None) -> None:
        self._refusals.forget((Refused.LISTS, repository_id), (Refused.LOOKS, repository_id))
        reason = str(error or "the App is not installed on the repository any more")
        log.warning("nothing more is asked of a repository: %s", reason, extra={"repository": repository_id})
        now = self._tools.clock.now()
        refused = error is not None
        await self._tools.database.transact(lambda tx: give_up(tx, repository_id, reason, now, refused=refused))

    async def _postpone_window(self, window: models.BackfillWindow, error: Exception) -> None:
        _say_why("a window", error, backfill=window.backfill_id)
        now = self._tools.clock.now()
        if self._is_hopeless(error, window.tries, (Refused.WINDOW, window.id)):
            reason = str(error) if isinstance(error, GitHubError) else f"something went wrong: {type(error).__name__}"
            await self._tools.database.transact(lambda tx: drop_window(tx, window, reason, now))
            return
        sql = "UPDATE backfill_window SET due_at = ?, tries = tries + 1 WHERE id = ?"
        await self._tools.database.execute(sql, now + delay(window.tries), window.id)

    async def _postpone_run(self, wanted: WantedRun, error: Exception, until: datetime | None = None) -> None:
        _say_why("a run", error, run=wanted.run_id)
        now = self._tools.clock.now()
        if self._is_hopeless(error, wanted.tries, (Refused.RUN, wanted.run_id)):
            await self._tools.database.transact(lambda tx: tx.converse(leaving_out(wanted, now)))
            return
        later = max(now + delay(wanted.tries), until or now)
        await self._tools.database.transact(lambda tx: tx.converse(_postponing(wanted, later, now)))

    def _is_hopeless(self, error: Exception, tries: int, what: What) -> bool:
        """Tell whether it is given up. What GitHub declines is counted apart from what failed, as in an outage."""
        if is_unavailable(error):
            return False
        if isinstance(error, GitHubUnavailable):
            return tries >= MOST_FAILURES
        # A run that goes on for weeks has many tries without any fault of its own.
        is_hopeless = self._refusals.count(what, self._tools.clock.now()) >= MOST_REFUSALS
        if is_hopeless:
            self._refusals.forget(what)
        return is_hopeless


def _postponing(wanted: WantedRun, until: datetime, now: datetime) -> Conversation[None]:
    yield postponing(wanted, until)
    if wanted.tries >= LET_GO_AFTER:
        waiting = yield from letting_go(wanted)
        yield from counting(waiting, {}, now)


def _say_why(what: str, error: Exception, **about: int) -> None:
    if isinstance(error, GitHubError):
        log.info("%s is left for later: %s", what, error, extra=about)
    else:
        log.warning("%s is left for later", what, extra=about, exc_info=error)


def _raise_if_away(error: Exception) -> None:
    if isinstance(error, GitHubUnavailable) or is_unavailable(error):
        raise error
