"""The work on one installation's history, a step at a time: from the most urgent thing to the least.

A run that has stood still comes first, then lists, then single runs. What GitHub can't or won't tell holds up nothing
else; `deferring` says what becomes of it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from bot.domain.wanting import RunState, Urgency
from bot.github import Client, Lane
from bot.github.errors import (
    Forbidden,
    GitHubUnavailable,
    InstallationGone,
    InstallationRefused,
    InstallationSuspended,
    NotFound,
    RateLimited,
    Unauthorized,
)
from bot.history.deferring import Deferrals
from bot.history.keeping import Keeper
from bot.history.listing import list_page
from bot.history.looking import look_at_run
from bot.history.naming import NameTaken, NotListed
from bot.history.progress import hand_over
from bot.history.refusals import Refusals
from bot.history.tools import Tools
from bot.history.wanted import next_wanted, run_states
from bot.store import models
from bot.store.database import is_unavailable
from bot.store.wanted import WantedRun

# More than the client lets be under way, so that what was answered meanwhile can share a commit.
AT_ONCE = 16
# With these nothing can be asked; whatever else goes wrong is about the one thing that was.
NOTHING_CAN_BE_ASKED = (RateLimited, Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)

ASKED = range(Urgency.ASKED, Urgency.UNFINISHED)
UNFINISHED = range(Urgency.UNFINISHED, Urgency.FAILED)
OTHERS = range(Urgency.FAILED, Urgency.OTHER + 1)


class Shift:
    """Each step returns whether there was anything to do, and raises a GitHubError where GitHub can't be asked now."""

    def __init__(self, tools: Tools, installation_id: int, refusals: Refusals) -> None:
        self._tools = tools
        self._deferrals = Deferrals(tools, installation_id, refusals)
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
            self._deferrals.answered(repository, window)
        except (NotFound, NotListed, Forbidden, NameTaken) as error:
            await self._deferrals.refused(repository, window, error)
        except NOTHING_CAN_BE_ASKED:
            raise
        except Exception as error:  # noqa: BLE001
            await self._deferrals.failed(window, error)
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
                self._deferrals.answered(repository, wanted)
        except (NotFound, Forbidden, NameTaken) as error:
            await self._deferrals.refused(repository, wanted, error)
        except NOTHING_CAN_BE_ASKED:
            raise
        except Exception as error:  # noqa: BLE001
            await self._deferrals.failed(wanted, error)
            _raise_if_away(error)

    async def _repository(self, repository_id: int) -> models.Repository | None:
        """Return a repository as it stands now, None where nothing may be asked of it through this installation."""
        mine = models.Repository.filter(repository_id=repository_id).using_db(self._tools.database.client)
        repository = await mine.first()
        theirs = None if repository is None or repository.hidden_at is not None else repository.installation_id
        if theirs is None:
            await self._deferrals.out_of_sight(repository_id)
        elif theirs != self._installation_id:
            await self._tools.database.transact(lambda tx: hand_over(tx, repository_id, theirs))
        else:
            return repository
        return None


def _raise_if_away(error: Exception) -> None:
    if isinstance(error, GitHubUnavailable) or is_unavailable(error):
        raise error
