"""What is looked at on every page: that each fault is found, since the pages themselves have none."""

from importlib import resources

from playwright.async_api import Browser

from tests.browser.chromium import Witness, chromium, needs_chromium

FRAME = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>T</title>'
    "<style>:root {{ color-scheme: light dark }}</style><body>{}</body></html>"
)
FINE = """<h1>H</h1><h2>two</h2><label for="a">A</label><input id="a"><a href="/">home</a>
<p style="color: light-dark(#767676, #808080)">words</p><img src="data:," alt="">"""
FAULTY = {
    "<h1>one</h1><h1>two</h1><h3>three</h3>": ["it has 2 h1", "its headings skip: 1,1,3"],
    '<input name="login">': ["nothing labels login", "a textbox has no name"],
    '<a href="/"><b></b></a>': ["a link has no name"],
    '<img src="data:,">': ["data:, has no alt"],
    '<p id="a">a</p><p id="a">b</p>': ["two have the id a"],
    '<section aria-labelledby="b">b</section>': ["nothing has the id b"],
    '<p style="color: #888; background: #fff">faint</p>': ["<p> faint has a contrast of 3.54"],
    '<p style="color: #333">only by day</p>': ["dark, 360: <p> only by day has a contrast of 1.48"],
    '<p style="width: 400px">wide</p>': ["it scrolls sideways, 408 in 360: <p> wide"],
}


async def _faults(browser: Browser, html: str) -> list[str]:
    page, witness = await browser.new_page(), Witness()
    await page.set_content(html)
    await witness.look(page)
    return [fault for found in witness.faults.values() for fault in found]


@needs_chromium
async def test_each_fault_of_a_page_is_found() -> None:
    async with chromium() as browser:
        assert await _faults(browser, FRAME.format(FINE)) == []
        faulty = await _faults(browser, FRAME.format("".join(FAULTY)))
        expected = [fault for faults in FAULTY.values() for fault in faults]
        assert [fault for fault in expected if not any(fault in each for each in faulty)] == []
        assert {"light, 360: it has no language", "light, 360: it has no title"} <= set(await _faults(browser, "a"))

        witness, page = Witness(), await browser.new_page()
        witness.watch(page.context)
        policy = '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
        await page.set_content(FRAME.format(f"{policy}<script>throw 1</script>"))
        await page.set_content(FRAME.format("<img src='http://127.0.0.1:9/elsewhere.png' alt=''>"))
    assert any("Content Security Policy" in said for said in witness.said)
    assert witness.asked == {"http://127.0.0.1:9"}


@needs_chromium
async def test_a_long_name_wraps_in_a_table_and_its_caption() -> None:
    css, name = (resources.files("bot.web") / "static" / "site.css").read_text(), "j" * 150
    table = f"<table><caption>Steps of {name}</caption><tr><th>{name}</th><td>{name}</td></tr></table>"
    html = f"<h1>H</h1>{table}"
    async with chromium() as browser:
        faults = await _faults(browser, FRAME.format(f"<style>{css}</style>{html}"))
    assert [each for each in faults if "sideways" in each] == []
