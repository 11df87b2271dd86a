"""GitHub itself, in small: runs, attempts and jobs that go through GitHub's own states on one clock."""

from collections.abc import Iterator
from random import Random

from tests.oracle import bodies
from tests.oracle.bodies import SECOND, moment, stamp
from tests.oracle.guids import timed_guid, times_do_not_matter, untimed
from tests.oracle.lives import Run, run_life
from tests.oracle.plans import Plan
from tests.oracle.shapes import Body, Change, Delivery, EventName, History, Key, RestSnapshot, Truth

_START = 1_793_620_800 * SECOND  # 2026-11-02, 12:00:00 UTC
_END = object()


class Thing:
    """An attempt or a job, with what has been shown of it so far."""

    def __init__(self, state: Body) -> None:
        self.state = state
        self.event: EventName = "workflow_job" if "run_id" in state else "workflow_run"
        is_job = self.event == "workflow_job"
        self.key = Key("job", state["id"]) if is_job else Key("attempt", state["id"], state["run_attempt"])
        self.changed_at = 0
        self.shown_at = -1  # when the last snapshot of it was made
        self.shown_before = -1  # the same, of the last one from before the newest change
        self.silent = True


class GitHub:
    """The clock, the outgoing deliveries and the REST answers; the lives in `lives` drive it."""

    def __init__(self, plan: Plan, rng: Random) -> None:
        self.plan, self.rng = plan, rng
        self.now = _START + rng.randrange(60 * SECOND)
        self.next_id = rng.randrange(10**9, 10**11)
        self.node = rng.getrandbits(48)
        owner = "octo-org"
        self.repo = bodies.repository(self.new_id(), owner, "hello-world")
        self.fork = bodies.repository(self.new_id(), "octocat", "hello-world")
        self.upstream = bodies.repository(self.new_id(), "upstream", "hello-world")
        self.people = [bodies.user("octocat", 583231), bodies.user("hubot[bot]", 480938)]
        self.flows = [bodies.workflow(self.new_id(), number) for number in (1, 2)]
        self.installation = {"id": self.new_id(), "node_id": "MDIz"}
        self.things: list[Thing] = []
        self.deliveries: list[Delivery] = []
        self.early: list[RestSnapshot] = []
        self.log: list[Change] = []
        self.thin: set[str] = set()
        self.linked: dict[int, set[int]] = {}

    def new_id(self) -> int:
        self.next_id += self.rng.randrange(1, 50)
        return self.next_id

    def play(self) -> History:
        """Let all runs live side by side until they are done, or until the plan stops watching."""
        lives = [run_life(self, Run(self, number, attempts)) for number, attempts in enumerate(self.plan.runs, 1)]
        looks = {self.rng.randrange(40) for _ in range(self.plan.early_looks)}
        step = 0
        while lives and step != self.plan.cut:
            self.advance(lives)
            if step in looks:
                self.look()
            step += 1
        return self.history()

    def advance(self, lives: list[Iterator[None]]) -> None:
        """Let one of the lives, any, take its next step, and bury it when it had none left."""
        life = self.rng.choice(lives)
        if next(life, _END) is _END:
            lives.remove(life)

    def tick(self) -> None:
        """Let time pass: in a hurry mostly within the second, else up to a minute and a half."""
        hurried = self.rng.random() * 10 < self.plan.hurry
        self.now += self.rng.randrange(1, 200_000) if hurried else self.rng.randrange(SECOND // 2, 90 * SECOND)

    def next_second(self) -> None:
        """Let time pass into the next whole second, or further."""
        self.now = (self.now // SECOND + 1) * SECOND + self.rng.randrange(SECOND)

    def add(self, state: Body) -> Thing:
        thing = Thing(state)
        self.things.append(thing)
        return thing

    def change(self, thing: Thing, action: str | None, **facts: object) -> None:
        """Change the facts of an attempt or job; a delivery with this action tells of it, None is silent."""
        self.tick()
        thing.state.update(facts)
        if thing.event == "workflow_run":
            thing.state["updated_at"] = stamp(self.now)
        thing.changed_at, thing.shown_before, thing.silent = self.now, thing.shown_at, True
        if action:
            self.tell(thing, action)
        state = thing.state
        updated_at = state.get("updated_at")
        change = Change(
            thing.key, moment(thing.changed_at), state["status"], state["conclusion"], updated_at, action is not None
        )
        self.log.append(change)

    def tell(self, thing: Thing, action: str) -> None:
        """Make a delivery that shows a thing as it is.

        GUIDs carry strictly increasing times, because GitHub makes the delivery of a later change later.
        """
        self.now += self.rng.randrange(1, 30_000)
        guid = timed_guid(self.now, self.rng.getrandbits(14), self.node)
        shown = dict(thing.state)
        if self.rng.random() < 0.08:
            self.thin.add(guid)
            shown = self.thinned(thing.event, shown)
        body = self.envelope(thing.event, action, shown)
        self.deliveries.append(Delivery(thing.event, guid, moment(self.now), body))
        thing.shown_at, thing.silent = self.now, False
        if thing.event == "workflow_run":
            here = (p["number"] for p in shown["pull_requests"] if p["base"]["repo"]["id"] == self.repo["id"])
            self.linked.setdefault(shown["id"], set()).update(here)

    def thinned(self, event: EventName, shown: Body) -> Body:
        """Leave out, or null, some facts that never change."""
        fields = bodies.THIN_RUN_FIELDS if event == "workflow_run" else bodies.THIN_JOB_FIELDS
        missing = self.rng.sample(fields, self.rng.randrange(1, len(fields) + 1))
        if self.rng.random() < 0.5:
            return {field: value for field, value in shown.items() if field not in missing}
        return {**shown, **dict.fromkeys(missing)}

    def envelope(self, event: EventName, action: str, shown: Body) -> Body:
        body = {"action": action, event: shown}
        if event == "workflow_run":
            body["workflow"] = next(flow for flow in self.flows if flow["id"] == shown["workflow_id"])
        return {**body, "repository": self.repo, "sender": self.people[0], "installation": self.installation}

    def look(self) -> None:
        """Read some things through REST, half-way.

        A whole second is let pass first: `Date` has no fractions, so a snapshot taken in the second of an
        earlier delivery would seem older than it, and no rule could tell that it isn't.
        """
        self.next_second()
        newest = self.newest()
        for thing in self.things:
            if self.rng.random() < 0.7:
                self.early.append(self.rest(thing, self.now, newest))
                thing.shown_at = self.now

    def rest(self, thing: Thing, at: int, newest: dict[int, int]) -> RestSnapshot:
        kind, id, number = thing.key
        date = moment(at // SECOND * SECOND)
        if kind == "job":
            return RestSnapshot("job", date, dict(thing.state))
        return RestSnapshot("run" if newest[id] == number else "attempt", date, dict(thing.state))

    def last_look(self, thing: Thing) -> int:
        """Return when the final REST snapshot of a thing is taken: mostly well after everything.

        Sometimes it is in the very second of the thing's last change, where nothing else shown of the
        thing in that second differs from it.
        """
        second = thing.changed_at // SECOND * SECOND
        if thing.shown_before < second and self.rng.random() < 0.3:
            return second
        return self.now + SECOND + self.rng.randrange(3600 * SECOND)

    def newest(self) -> dict[int, int]:
        attempts = (thing.key for thing in self.things if thing.key.kind == "attempt")
        return {id: number for _, id, number in sorted(attempts)}

    def history(self) -> History:
        newest = self.newest()
        rest = tuple(self.rest(thing, self.last_look(thing), newest) for thing in self.things)
        deliveries = {delivery.guid: delivery for delivery in self.deliveries}
        if self.plan.untimed_guids and times_do_not_matter((*self.deliveries, *self.early), rest):
            deliveries = untimed(self.deliveries, self.rng)
        return History(
            deliveries=tuple(deliveries.values()),
            rest=rest,
            early_rest=tuple(self.early),
            log=tuple(self.log),
            silent=frozenset(thing.key for thing in self.things if thing.silent),
            thin=frozenset(deliveries[guid].guid for guid in self.thin),
            truth=self.truth(newest),
        )

    def truth(self, newest: dict[int, int]) -> Truth:
        attempts = [thing.state for thing in self.things if thing.key.kind == "attempt"]
        jobs = [thing.state for thing in self.things if thing.key.kind == "job"]
        return Truth(
            newest=newest,
            attempts={(s["id"], s["run_attempt"]): {field: s[field] for field in bodies.RUN_FIELDS} for s in attempts},
            jobs={s["id"]: {field: s[field] for field in bodies.JOB_FIELDS} for s in jobs},
            pull_requests={id: frozenset(self.linked.get(id, ())) for id in newest},
        )
