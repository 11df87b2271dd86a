"""How long things took, and how that is said."""

import pytest

from bot.domain.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a minute"),
        (60, "a minute"),
        (60.1, "2 min"),
        (3540, "59 min"),
        (3541, "1 h"),
        (3601, "1 h 1 min"),
        (9 * 3600 + 600, "9 h 10 min"),
        (10 * 3600 + 600, "10 h"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 days"),
        (1e9, "11574 days"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
