"""How long things took, and how that is said."""

import pytest

from bot.domain.durations import in_words, to_the_second


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (205, "3 min 25 s"),
        (3599.9, "1 h"),
        (3659, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_to_the_second(seconds: float, words: str) -> None:
    assert to_the_second(seconds) == words
