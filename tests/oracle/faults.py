"""What can happen between GitHub and the receiver: deliveries lost, doubled and shuffled, looks through REST."""

from random import Random

from tests.oracle.bodies import THIN_JOB_FIELDS, THIN_RUN_FIELDS
from tests.oracle.shapes import Arrival, Body, Delivery, History, Key, RestSnapshot, key_of, subject


def ordered(history: History) -> list[Arrival]:
    """Return all deliveries in order, and then the REST snapshots of what no delivery tells."""
    needed = must_be_read(history, history.deliveries)
    return [*history.deliveries, *(shot for shot in history.rest if key_of(shot) in needed)]


def must_be_read(history: History, kept: tuple[Delivery, ...]) -> set[Key]:
    """Return what the truth cannot be told of without its final REST snapshot, when only `kept` arrives.

    That is: what changed last in silence or in a lost delivery, what no full body arrived of, and what had
    a link to a pull request that none of the others names.
    """
    last = {key_of(delivery): delivery.guid for delivery in history.deliveries}
    arrived = {delivery.guid for delivery in kept}
    lost = {key for key, guid in last.items() if guid not in arrived}
    missing = {shot_key for shot_key in map(key_of, history.rest) if _lacks_facts(history, shot_key, kept)}
    return set(history.silent) | lost | missing | _unlinked(history, kept)


def _lacks_facts(history: History, key: Key, kept: tuple[Delivery, ...]) -> bool:
    shown = [delivery for delivery in kept if key_of(delivery) == key]
    if any(delivery.guid not in history.thin for delivery in shown):
        return False
    fields = THIN_JOB_FIELDS if key.kind == "job" else THIN_RUN_FIELDS
    return any(all(subject(delivery).get(field) is None for delivery in shown) for field in fields)


def _unlinked(history: History, kept: tuple[Delivery, ...]) -> set[Key]:
    named = {(run_id, number) for delivery in kept for run_id, number in links(delivery)}
    return {key_of(shot) for shot in history.rest if not links(shot) <= named}


def links(arrival: Arrival) -> set[tuple[int, int]]:
    """Return the run id and number of each pull request that a snapshot names with its run's own repository."""
    shown: Body = subject(arrival)
    here = shown["repository"]["id"] if "repository" in shown else None
    listed = shown.get("pull_requests", [])
    return {(shown["id"], entry["number"]) for entry in listed if entry["base"]["repo"]["id"] == here}


def without(history: History, chosen: set[int]) -> tuple[Delivery, ...]:
    """Lose the deliveries at these places, but none that is the last to name a pull request.

    GitHub stops listing a pull request once it is closed: a link that only a lost delivery named is lost
    for good, and no rule could know of it.
    """
    still = {pair for shot in history.rest for pair in links(shot)}
    return tuple(
        delivery for n, delivery in enumerate(history.deliveries) if n not in chosen or not links(delivery) <= still
    )


def made(arrival: Arrival) -> float:
    """Return when an arrival came to be, as seconds since 1970."""
    return (arrival.date if isinstance(arrival, RestSnapshot) else arrival.made_at).timestamp()


def displaced(arrivals: list[Arrival], reach: int, rng: Random) -> list[Arrival]:
    """Shuffle: each arrival is late by up to `reach` places of the order in which they were made."""
    in_order = sorted(arrivals, key=made)
    late = [place + rng.random() * reach for place in range(len(in_order))]
    return [in_order[place] for place in sorted(range(len(in_order)), key=late.__getitem__)]
