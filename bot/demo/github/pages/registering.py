"""Registering an App from a manifest that another site sent along.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.demo.github.pages.html import Shown, lead, missing, page, refusal
from bot.demo.github.pages.sessions import require_form, require_session, sent
from bot.demo.github.rest.manifests import STEP_LASTS, Draft, agree, is_taken
from bot.demo.github.state.manifest import InvalidManifest, Manifest, name_problem, read_manifest

if TYPE_CHECKING:
    from bot.demo.github.pages.sessions import Session
    from bot.demo.github.rest.answers import Answer
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.accounts import Account


def take_manifest(ask: Ask) -> Answer:
    """Keep what another site's form sent and lead to a page of our own, which the browser's session reaches.

    A cookie that is `SameSite=Lax` does not come along with the form itself.
    """
    draft = Draft(sent(ask, "manifest"), ask.path.get("org"), ask.query.get("state"), ask.at + STEP_LASTS)
    if ask.github.rest.signed_in is not None:
        return _agree(ask, require_session(ask), draft)
    number = ask.github.rest.credentials.random_text(20)
    ask.github.rest.drafts[number] = draft
    return lead(f"/settings/apps/manifest/{number}")


def show_draft(ask: Ask) -> Answer:
    """Show what App would be made."""
    session, draft = require_session(ask), _draft(ask)
    return _form(session, _owner(ask, session, draft), _manifest(draft))


def register(ask: Ask) -> Answer:
    """Agree to the App, under the name that the person has given it."""
    session, draft = require_form(ask), _draft(ask)
    answer = _agree(ask, session, draft, sent(ask, "name").strip())
    del ask.github.rest.drafts[ask.path["draft"]]
    return answer


def _agree(ask: Ask, session: Session, draft: Draft, name: str | None = None) -> Answer:
    owner, manifest = _owner(ask, session, draft), _manifest(draft)
    manifest = manifest if name is None else replace(manifest, name=name)
    problem = name_problem(manifest.name)
    if problem is None and is_taken(ask, manifest.name, owner):
        problem = "Name is already taken"
    if problem is not None:
        raise Shown(_form(session, owner, manifest, problem))
    return agree(ask, manifest, owner, draft.state)


def _form(session: Session, owner: Account, manifest: Manifest, problem: str | None = None) -> Answer:
    return page(
        "register",
        200 if problem is None else 422,
        title=f"Create GitHub App for {owner.login}",
        session=session,
        manifest=manifest,
        problem=problem,
    )


def _draft(ask: Ask) -> Draft:
    draft = ask.github.rest.drafts.get(ask.path["draft"])
    if draft is None or ask.at >= draft.until:
        raise missing()
    return draft


def _owner(ask: Ask, session: Session, draft: Draft) -> Account:
    """Return whose App it would be; an organisation that the person does not own is not to be found."""
    owner = session.person if draft.organization is None else ask.world.find_account(draft.organization)
    if owner is None or not ask.world.owns(session.person, owner):
        raise missing()
    return owner


def _manifest(draft: Draft) -> Manifest:
    try:
        return read_manifest(draft.text)
    except InvalidManifest as error:
        said = "The configuration does not appear to be a valid GitHub App manifest."
        raise refusal(422, "Invalid GitHub App configuration", said, *error.problems) from None
