"""Whatever a job, a step, a test, a branch or a log says, the Markdown is ours alone."""

import re
import unicodedata

import pytest
from hypothesis import given

from bot.domain.feedback.report import FailureClass, Report
from bot.domain.feedback.words.check_text import check_text
from bot.domain.feedback.words.comment_text import Newer, failure_comment
from bot.domain.feedback.words.markdown import size
from bot.domain.feedback.words.markers import marker_text
from tests.domain.feedback.reports import MARKER, NASTY, SERVER, Maker, cause, failure, job, report, run, seeds, words
from tests.domain.feedback.tame import leaves, structure, tame

UNSEEN = {"\t", "\r", "\x0b", "\x0c", "\x1b", "\u2028", "\u2029", "\ufeff", "\u200b", "\u3164", "\xad"}
TURNED = re.compile(r"@\w|https?:|www\.|#\d|GH-\d|\b(?=[a-f]*\d)[0-9a-f]{7,40}\b|<|:[a-z]+:", re.IGNORECASE)


def assert_ours(markdown: str, in_tame_words: str) -> None:
    found = leaves(markdown)
    assert structure(found) == structure(leaves(in_tame_words))
    for leaf in found:
        assert leaf.type not in {"image", "s_open", "table_open"}
        if leaf.type == "html_inline":
            assert leaf.content in {"<sub>", "</sub>"}
        if leaf.type == "link_open":
            assert str(leaf.attrs["href"]).startswith(f"{SERVER}/")
        if leaf.type == "html_block":
            assert leaf.content.strip() == marker_text(MARKER)
        if leaf.type == "text":
            assert not TURNED.search(leaf.content), leaf.content


def assert_plain(markdown: str) -> None:
    assert size(markdown) <= 60_000
    markdown.encode()  # No half of a character is left.
    assert "`" * 81 not in markdown  # More are no code span to GitHub's parser.
    lines = markdown.split("\n")
    assert not [line for line in lines if line.startswith(("/", "@", "bors"))]
    for character in set(markdown) - {"\n"}:
        assert character not in UNSEEN
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }


def texts_of(told: Report) -> list[str]:
    return [
        check_text(told).summary,
        failure_comment(told, MARKER, newer=Newer(told.head_sha), queue=told),
    ]


@given(seeds, words)
def test_a_report_of_any_words_has_the_structure_of_the_same_in_tame_words(seed: int, words: list[str]) -> None:
    told = Maker(seed, words).report()
    for markdown, in_tame_words in zip(texts_of(told), texts_of(tame(told)), strict=True):
        assert_ours(markdown, in_tame_words)
        assert_plain(markdown)


@given(seeds, words)
def test_a_title_is_one_short_line_of_our_words(seed: int, words: list[str]) -> None:
    told = Maker(seed, words).report()
    title = check_text(told).title
    assert 0 < len(title) <= 255
    assert title.isprintable()
    assert not TURNED.search(title)


@given(seeds, words)
def test_a_report_is_told_in_the_same_words_each_time(seed: int, words: list[str]) -> None:
    told = Maker(seed, words).report()
    assert texts_of(told) == texts_of(told)


@pytest.mark.parametrize("text", NASTY)
def test_each_nasty_text_in_every_place(text: str) -> None:
    said = failure(text, test=text, step=text, lines=(text, f"before {text}", text * 3))
    jobs = [job(n, text, step=text, html_url=text) for n in range(5)]
    told = report(
        *[cause(said=said) for _ in range(4)],
        cause(FailureClass.NEW, *jobs, said=said),
        head_sha=text,
        base_branch=text,
        cancelled_jobs=tuple(jobs),
        runs_without_jobs=(run(2, text, conclusion=text), run(3, text, html_url=f"{SERVER}/{text}")),
        waiting_for_approval=(run(4, text),),
    )
    for markdown, in_tame_words in zip(texts_of(told), texts_of(tame(told)), strict=True):
        assert_ours(markdown, in_tame_words)
        assert_plain(markdown)
