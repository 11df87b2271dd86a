"""Which texts can be kept and looked for."""


def is_storable(text: str) -> bool:
    """Tell whether both databases take `text`: UTF-8, so no lone surrogate, and no NUL, which PostgreSQL refuses."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
