"""The hidden line by which a comment is found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.words.markers import find_marker, marker_text
from bot.domain.feedback.written import Marker

numbers = st.integers(0, 10**18 - 1)


@given(st.builds(Marker, numbers, numbers, st.booleans()), st.sampled_from(["", "\n### x", "\r\nx"]))
def test_what_is_written_is_found(marker: Marker, rest: str) -> None:
    assert find_marker(marker_text(marker) + rest) == marker


LINE = "<!-- runledger:failure-comment pull=42 sequence=1 state=red -->"


def test_the_line_reads_so() -> None:
    assert marker_text(Marker(42, 1, is_red=True)) == LINE
    assert find_marker(LINE.replace("red", "green")) == Marker(42, 1, is_red=False)


@pytest.mark.parametrize(
    "body",
    [
        "",
        f" {LINE}",
        f"\n{LINE}",
        f"> {LINE}",
        f"{LINE} x",
        f"`{LINE}`",
        LINE.replace("42", "042"),
        LINE.replace("42", "-1"),
        LINE.replace("42", "٤٢"),
        LINE.replace("42", "9" * 40),
        LINE.replace("red", "Red"),
        LINE.replace("runledger", "Runledger"),
        LINE.replace(" sequence=1", ""),
        LINE.replace("-->", "--"),
    ],
)
def test_nothing_else_is_taken_for_it(body: str) -> None:
    assert find_marker(body) is None


@given(st.text())
def test_any_text_is_looked_at(body: str) -> None:
    found = find_marker(body)
    assert found is None or body.startswith(marker_text(found))
