"""The primitives that hold texts from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.words.markdown import code, commit, fenced, link, listed, server_of, size
from tests.domain.feedback.reports import SERVER, texts
from tests.domain.feedback.tame import leaves


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("test (3.12)", "`test (3.12)`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a ``` b", "````a ``` b````"),
        ("  two\n lines\t", "`two lines`"),
        ("`" * 90, f"{'`' * 11} {'`' * 10}… {'`' * 11}"),
        ("", "(nameless)"),
        (" \u200d ", "(nameless)"),
        ("a\u202eb\x00c\ud800", "`a�b�c�`"),
        ("password=hunter2", "`password=***`"),
        ("x" * 100, f"`{'x' * 79}…`"),
        ("👩\u200d💻 lint", "`👩💻 lint`"),
    ],
)
def test_a_code_span(text: str, span: str) -> None:
    assert code(text) == span


@given(st.one_of(texts, st.text()))
def test_a_code_span_is_one_and_nothing_else(text: str) -> None:
    span = code(text)
    found = [leaf.type for leaf in leaves(f"x {span}")]
    assert found == ["paragraph_open", "text", *([] if span == "(nameless)" else ["code_inline"]), "paragraph_close"]


@given(st.lists(st.one_of(texts, st.text()), min_size=1, max_size=30), st.integers(0, 40))
def test_a_fence_holds_all_lines_and_nothing_follows_from_it(lines: list[str], place: int) -> None:
    anchor = lines[place] if place < len(lines) else None
    block = fenced(lines, anchor)
    (leaf,) = leaves(block)
    assert leaf.type == "fence"
    rows = leaf.content.removesuffix("\n").split("\n")
    assert len(rows) == min(20, len(lines))
    assert all(row == "" or row.startswith(("  ", "→")) for row in rows)
    assert sum(row.startswith("→") for row in rows) == (anchor is not None)
    assert size(block) <= 60_000 / 3


def test_lines_stand_as_they_did_and_the_anchor_is_marked() -> None:
    lines = ("      def f():", "      \tx", "…", "##[error]    boom", "      @octocat")
    shown = ["    def f():", "        x", "  …", "→ boom", "    @octocat"]
    assert fenced(lines, "##[error]    boom") == "\n".join(["```text", *shown, "```"])


def test_a_key_of_several_lines_is_masked_in_a_fence() -> None:
    lines = ("-----BEGIN PRIVATE KEY-----", "MIIEpAIBAAKCAQEA", "-----END PRIVATE KEY-----", "boom")
    assert fenced(lines, "boom") == "```text\n  ***\n  ***\n  ***\n→ boom\n```"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{SERVER}/octo/shop/actions/runs/1/job/2?pr=3#step:4:5", None),
        (f"{SERVER}/a b(c)[d]<e>\"'\\@é", f"[x]({SERVER}/a%20b%28c%29%5Bd%5D%3Ce%3E%22%27%5C%40%C3%A9)"),
        (f"{SERVER}/\ud800", f"[x]({SERVER}/?)"),
        (SERVER, "x"),
        (f"{SERVER}.evil.example/", "x"),
        (f"{SERVER}@evil.example/", "x"),
        ("http://github.com/x", "x"),
        ("javascript:alert(1)", "x"),
        ("", "x"),
        (f"{SERVER}/{'x' * 600}", "x"),
        (f" {SERVER}/", "x"),
    ],
)
def test_a_link_leads_to_the_server_or_nowhere(url: str, shown: str | None) -> None:
    assert link("x", url, SERVER) == (shown or f"[x]({url})")
    assert link("x", None, SERVER) == link("x", url, None) == "x"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://github.com/octo/shop", "https://github.com"),
        ("http://127.0.0.1:8081/octo/shop", "http://127.0.0.1:8081"),
        ("https://github.com", "https://github.com"),
        ("https://a@github.com/", None),
        ("https://git hub.com/", None),
        ("https://[::1", None),
        ("HTTPS://github.com/", None),
        ("ftp://github.com/", None),
        ("", None),
    ],
)
def test_the_server_of_a_url(url: str, server: str | None) -> None:
    assert server_of(url) == server


@pytest.mark.parametrize(
    ("items", "total", "text"),
    [
        ([], 0, ""),
        (["a"], 1, "a"),
        (["a", "b"], 2, "a and b"),
        (["a", "b", "c"], 3, "a, b and c"),
        (["a"], 9, "a and 8 more"),
    ],
)
def test_a_list_in_a_sentence(items: list[str], total: int, text: str) -> None:
    assert listed(items, total) == text


def test_a_commit_is_short_and_no_reference() -> None:
    assert commit("9f8e7d6c5b4a") == "`9f8e7d6`"
