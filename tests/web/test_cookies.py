"""Only the cookie of our very name is ours: a neighbouring host can set others that look like it."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.web import cookies

SECRET, PLANTED = "s" * 43, "p" * 43
NAME = cookies.SESSION

OURS = [
    f"{NAME}={SECRET}",
    f"a=b; {NAME}={SECRET}",
    f"a=b;{NAME}={SECRET};\t c=d",
    f"\u2000{NAME}={PLANTED}; {NAME}={SECRET}",
    f"{NAME}x={PLANTED}; {NAME}={SECRET}",
]
NOT_OURS = [
    *(f"{space}{NAME}={PLANTED}" for space in "\u2000\xa0\u3000\x85\ufeff\x1f\x0c"),
    *(f"{NAME}{space}={PLANTED}" for space in " \t\u2000\xa0"),
    f"{NAME.lower()}={PLANTED}",
    f"{NAME.replace('-', '%2d')}={PLANTED}",
    f'"{NAME}"={PLANTED}',
    f'{NAME}="{PLANTED}"',
    f"{NAME}={PLANTED}\u2000",
    f"$Version=1,{NAME}={PLANTED}",
    f"a=b,{NAME}={PLANTED}",
    f"={NAME}={PLANTED}",
    f"{NAME}",
    f"{NAME}=",
    f"{NAME}={SECRET}; {NAME}={PLANTED}",
    f"{NAME}={SECRET}; {NAME}={SECRET}",
    f"{NAME}=; {NAME}={PLANTED}",
]


def found(*fields: str) -> str | None:
    headers = CIMultiDict([("Cookie", field) for field in fields])
    return cookies.find_secret(make_mocked_request("GET", "/", headers=headers))


@pytest.mark.parametrize("field", OURS)
def test_our_cookie_is_found_among_others(field: str) -> None:
    assert found(field) == SECRET


@pytest.mark.parametrize("field", NOT_OURS)
def test_what_only_looks_like_it_is_none(field: str) -> None:
    assert found(field) is None


def test_a_cookie_that_comes_twice_is_none_in_however_many_fields() -> None:
    assert found("a=b", f"{NAME}={SECRET}") == SECRET
    assert found(f"{NAME}={SECRET}", f"{NAME}={PLANTED}") is None
