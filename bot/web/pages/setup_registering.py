"""Registering the App: from the form to GitHub, and back with a code that is exchanged for the App's credentials."""

import secrets
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.access import states
from bot.checks.findings import plain
from bot.errors import RunledgerError
from bot.setup import choices, links, registering
from bot.setup.choices import Choice, Host, WrongChoice
from bot.setup.registering import Left
from bot.store.database import current
from bot.store.registration import Configuration, Registration, find_registered_app
from bot.web import cookies
from bot.web.pages.setup import PAGE, look, may_register, may_set_up, opened_at, show_setup
from bot.web.problems import Problem
from bot.web.visits import Visit

NOT_THIS_BROWSER = "GitHub's answer was asked for by another browser, was used before, or came too late. Begin again."
NO_SESSION = (
    "This browser has not opened the link to the set-up page here, or that was more than two hours ago, or an App was"
    " registered meanwhile"
)
Text = Annotated[str, Meta(max_length=1000)]


class RegisterForm(msgspec.Struct, frozen=True):
    """How the App is to be registered, as it was filled in."""

    host: Literal["github.com", "server"] = "github.com"
    server: Text | None = None
    owner: Literal["organization", "personal"] = "organization"
    organization: Text | None = None
    name: Text | None = None
    address: Text | None = None
    reruns: Literal["true"] | None = None


class RegisteredQuery(msgspec.Struct, frozen=True):
    """What GitHub leads back with."""

    code: Annotated[str, Meta(min_length=1, max_length=200, description="Good for an hour, and once")]
    state: Annotated[str, Meta(min_length=1, max_length=200, description="What the browser left with")]


async def register_app(visit: Visit, form: RegisterForm) -> web.StreamResponse:
    """Show what GitHub is asked for, with the button that sends the browser there."""
    if not may_register(visit.service.configuration, await look(visit)):
        return visit.redirect(PAGE)
    try:
        choice = choice_of(form, visit.service.configuration)
        await registering.check_reachable(choice.host, visit.service.clock)
    except WrongChoice as wrong:
        return await _refuse(visit, form, wrong)
    # Anywhere else the browser would come back to without its session, and the App made by then would be lost.
    if plain(opened_at(visit.request)) != plain(choice.public_url):
        return await _refuse(visit, form, *await _carry_over(visit, choice))
    return await _lead_to_github(visit, choice)


async def _refuse(
    visit: Visit, form: RegisterForm, wrong: WrongChoice, carried: str | None = None
) -> web.StreamResponse:
    given = {name: value for name, value in msgspec.structs.asdict(form).items() if value is not None}
    return await show_setup(visit, 400, given=given, wrong={wrong.field: str(wrong)}, carried=carried)


async def _carry_over(visit: Visit, choice: Choice) -> tuple[WrongChoice, str | None]:
    """Return why GitHub is not asked yet, and a link that opens this page where GitHub will lead back to."""
    address = choice.public_url
    if not cookies.keeps_cookies(address):
        said = f"Browsers keep a session only over https, and on the machine itself: {plain(address)} is neither."
        return WrongChoice("address", said), None
    token = await links.new_link(visit.service.clock.now(), links.CARRIED_LASTS)
    here, there = plain(opened_at(visit.request)), plain(address)
    said = (
        f"This page is open at {here}, and GitHub would lead you back to {there}, where you have no session."
        " Open this page there, and go on there"
        f"{'' if visit.service.configuration.given.public_url else ', or put the first address here'}."
    )
    return WrongChoice("address", said), f"{address}{links.PATH}{token}"


async def _lead_to_github(visit: Visit, choice: Choice) -> web.StreamResponse:
    left = Left(choice, await find_registered_app(current()))
    browser = cookies.browser_of(visit.request)
    details = msgspec.to_builtins(left)
    state = await states.new_state("register", browser, visit.service.clock.now(), details=details)
    manifest = choices.manifest_of(choice)
    response = visit.page(
        "setup_register.html",
        posts_to=choice.posts_to,
        action=f"{choice.posts_to}?state={state}",
        choice=choice,
        manifest=manifest,
        manifest_text=msgspec.json.encode(manifest).decode(),
    )
    cookies.keep_browser(response, browser)
    return response


def choice_of(form: RegisterForm, configuration: Configuration) -> Choice:
    """Return what was chosen, where the environment leaves it open. Raises WrongChoice."""
    organization = choices.checked_organization(form.organization or "") if form.owner == "organization" else None
    # Names are GitHub's to give, and each is given once.
    proposed = f"Runledger {organization or secrets.token_hex(2)}"[: choices.LONGEST_NAME].strip()
    address = configuration.given.public_url or choices.checked_address("address", form.address or "")
    return Choice(
        host=_host(form, configuration),
        organization=organization,
        name=choices.checked_name(form.name or proposed),
        public_url=address,
        reruns=form.reruns is not None,
    )


def _host(form: RegisterForm, configuration: Configuration) -> Host:
    given = configuration.given
    if {"github_api_url", "github_server_url"} & given.model_fields_set:
        return Host(given.github_server_url, given.github_api_url)
    return choices.host_of(choices.GITHUB_COM if form.host == "github.com" else form.server or "")


async def finish_registration(visit: Visit, query: RegisteredQuery) -> web.StreamResponse:
    """Take the App that GitHub made, keep it, and show this once what the environment could say instead."""
    if not may_set_up(visit):
        return visit.page("setup_failed.html", 403, said=NO_SESSION)
    left = await _take(visit, query.state)
    configuration = visit.service.configuration
    if not may_register(configuration, await look(visit)):
        said = "an App has been registered in the meantime; nothing was taken of this one, so delete it at GitHub"
        return visit.page("setup_failed.html", 409, said=said)
    try:
        registration = await registering.convert(query.code, left, visit.service.clock)
    except RunledgerError as error:
        return visit.page("setup_failed.html", 502, said=str(error))
    fault = await _keep(visit, registration, left.replacing)
    lines = registering.environment_of(registration)
    return visit.page("setup_registered.html", registration=registration, lines=lines, fault=fault)


async def _take(visit: Visit, state: str) -> Left:
    browser = cookies.find_browser(visit.request)
    now = visit.service.clock.now()
    taken = await states.take_state("register", state, browser, now) if browser else None
    if taken is None:
        raise Problem(403, NOT_THIS_BROWSER)
    return msgspec.convert(taken.details, Left)


async def _keep(visit: Visit, registration: Registration, replacing: int | None) -> str | None:
    """Keep the App; return why that could not be done, where it could not: GitHub does not tell its secrets again."""
    configuration, session = visit.service.configuration, visit.session
    if configuration.sealer is None:
        return "SECRET_KEY is not set"
    try:
        session_id = None if session is None else session.id
        await registering.keep(configuration, configuration.sealer, registration, replacing, session_id)
    except RunledgerError as error:
        return str(error)
    return None
