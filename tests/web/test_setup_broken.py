"""What the set-up page tells once something is broken that was set up, and what can be done about it."""

import re

from tests.web.setting_up import KEY, LOOK, ORGANIZATION, beginning, steps

ANOTHER_KEY = "another key, which opens nothing of what there is"


async def test_under_another_secret_key_it_can_be_registered_anew(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        app = begun.github.app.id
    async with beginning(migrated_url, secret_key=ANOTHER_KEY) as begun, begun.browser() as browser:
        assert begun.configuration.current.is_unconfigured
        await begun.open_link(browser)
        assert (steps(browser.text)["base"], "another SECRET_KEY" in browser.text) == ("broken", True)
        # On the new GitHub of this test the App's id would be the same one.
        begun.github.world.numbers.next("app")
        begun.printed[:] = [f"{begun.address}/setup/link/x"]
        await begun.register(browser)
        assert (await begun.look(browser))["base"] == "done"
        assert begun.configuration.current.app_id == begun.github.app.id != app
    async with beginning(migrated_url, with_worker=False, secret_key=ANOTHER_KEY, secret_key_previous=KEY) as begun:
        assert begun.configuration.current.app_id is not None
        assert begun.printed == []


async def test_an_app_that_github_no_longer_knows_may_be_replaced(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        first, name = begun.github.app.id, begun.github.app.name
        del begun.github.world.apps[first]
        begun.configuration.current = begun.configuration.current.model_copy(update={"log_level": "debug"})
        shown = await begun.look(browser)
        assert (shown["register"], f"no longer knows the App {name}." in browser.text) == ("broken", True)
        assert not re.search("APP_ID|GITHUB_API_URL", browser.text)
        await browser.press(
            LOOK,
            choosing=("An Enterprise Server, or GHE.com",),
            server=begun.github_address,
            organization=ORGANIZATION,
            name="The next",
        )
        await browser.press("Continue to GitHub")
        assert begun.configuration.current.app_id == begun.github.app.id != first


async def test_deliveries_that_do_not_arrive_are_told_of(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite) as begun, begun.browser() as browser:
        await begun.register(browser)
        await begun.github.settle()
        begun.github.webhooks.url = "http://127.0.0.1:9/nowhere"
        begun.github.installations.install(begun.repository.owner)
        shown = await begun.look(browser)
        assert (shown["install"], shown["hear"]) == ("done", "broken")
        assert "leads to http://127.0.0.1:9/nowhere" in browser.text
