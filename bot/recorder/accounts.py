"""What accounts are called: every login that GitHub told of each, so that the newest counts, whatever comes first.

A login is told by whatever names an account, and a rename may be the first that is heard of it. So the logins of an
account are kept apart from what is on it, and whatever has the newest in its name takes it from there.
"""

from collections.abc import Iterable, Mapping, Sequence

from bot.domain import facts
from bot.store import models
from bot.store.conversation import Conversation, Question, padded
from bot.store.database import Transaction

# Each account's logins, of which the newest comes first.
Logins = Mapping[int, Sequence[str]]

# What an installation has may have been told by an older version of the program.
_KNOWN = (
    "SELECT account_id, login, version FROM account_login WHERE account_id IN ({marks})"
    " UNION ALL SELECT account_id, account_login, login_version FROM installation WHERE account_id IN ({marks})"
)
_TAKE = (
    "INSERT INTO account_login (account_id, login, version) VALUES (?, ?, ?) ON CONFLICT (account_id, login)"
    " DO UPDATE SET version = excluded.version WHERE account_login.version < excluded.version"
)
_REMEMBER = (
    "INSERT INTO repository_name (repository_id, name, full_name, account_id) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (name, repository_id) DO UPDATE SET account_id = excluded.account_id"
    " WHERE repository_name.account_id IS NULL AND excluded.account_id IS NOT NULL"
)
# What was refused was asked for by a name that is another's by now, or nobody's.
_RENAME = "UPDATE repository SET full_name = ?, refused_until = NULL WHERE repository_id = ? AND full_name <> ?"

_Versions = dict[int, dict[str, bytes]]


async def record_logins(tx: Transaction, news: Iterable[facts.Facts]) -> Logins:
    """Record what accounts are called, and with it what is on them; return all logins of those that `news` names."""
    told = _told(news)
    if not told:
        return {}
    before = await tx.converse(_known(sorted(told)))
    after = {account: _newest(before.get(account, {}), told[account]) for account in sorted(told)}
    rows = [(account, *each) for account, logins in after.items() for each in sorted(logins.items())]
    await tx.execute_many(_TAKE, [row for row in rows if before.get(row[0], {}).get(row[1]) != row[2]])
    for account, logins in after.items():
        if _ordered(logins) != _ordered(before.get(account, {})):
            await _call(tx, account, logins)
    return {account: _ordered(logins) for account, logins in after.items()}


def _told(news: Iterable[facts.Facts]) -> _Versions:
    told: _Versions = {}
    for fact in news:
        if isinstance(fact, facts.AccountRename):
            account, version = fact.account, fact.version
        elif isinstance(fact, facts.Installation) and fact.login_version is not None:
            account, version = fact.account, fact.login_version
        elif isinstance(fact, facts.Repository) and fact.owner is not None:
            account, version = fact.owner, fact.version
        else:
            continue
        known = told.setdefault(account.account_id, {})
        known[account.login] = max(version, known.get(account.login, version))
    return told


def _known(accounts: Sequence[int]) -> Conversation[_Versions]:
    asked = padded(accounts)
    rows = yield Question(_KNOWN.format(marks=", ".join("?" * len(asked))), [*asked, *asked])
    known: _Versions = {}
    for account, login, version in rows:
        known[account] = _newest(known.get(account, {}), {login: bytes(version)})
    return known


def _newest(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> dict[str, bytes]:
    return {login: max(each[login] for each in (one, other) if login in each) for login in one.keys() | other.keys()}


def _ordered(logins: Mapping[str, bytes]) -> list[str]:
    return sorted(logins, key=lambda login: (logins[login], login), reverse=True)


async def _call(tx: Transaction, account_id: int, logins: Mapping[str, bytes]) -> None:
    """Let what is on an account have its newest login in its name, and be found by all of them."""
    newest = _ordered(logins)[0]
    installations = models.Installation.filter(account_id=account_id).using_db(tx.client)
    await installations.update(account_login=newest, login_version=logins[newest])
    named = await _named(tx, models.Repository, account_id)
    names = [(f"{newest}/{name}", repository_id) for repository_id, name in sorted(named)]
    await tx.execute_many(_RENAME, [(name, repository_id, name) for name, repository_id in names])
    named |= await _named(tx, models.RepositoryName, account_id)
    await _remember(tx, [(*each, login, account_id) for each in sorted(named) for login in sorted(logins)])


async def _named(
    tx: Transaction, table: type[models.Repository | models.RepositoryName], account_id: int
) -> set[tuple[int, str]]:
    theirs = table.filter(account_id=account_id).using_db(tx.client)
    rows = await theirs.values_list("repository_id", "full_name")
    return {(repository_id, name_in(full_name)) for repository_id, full_name in rows}


def name_in(full_name: str) -> str:
    """Return a repository's own name."""
    return full_name.rpartition("/")[2]


async def remember_names(tx: Transaction, told: facts.Repository, owner: facts.Account, logins: Sequence[str]) -> None:
    """Let a repository be found by what it is and was called, under each login that its owner has had."""
    names = [name_in(told.full_name)]
    before, _, name = (told.past_name or "").rpartition("/")
    if before in logins:
        names.append(name)
    elif name:
        await _remember(tx, [(told.repository_id, name, before, None)])
    await _remember(tx, [(told.repository_id, name, login, owner.account_id) for name in names for login in logins])


async def _remember(tx: Transaction, names: Iterable[tuple[int, str, str, int | None]]) -> None:
    rows = [(repository_id, f"{login}/{name}", account_id) for repository_id, name, login, account_id in names]
    await tx.execute_many(_REMEMBER, [(id, full.lower(), full, account) for id, full, account in rows])
