"""`app.yml`, the App's manifest: what it asks for, which installations may not have granted yet."""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

# In an installed package the manifest lies inside it; in a checkout at the top, where the owner wants it.
_PACKAGED = resources.files("bot") / "app.yml"
_CHECKOUT = Path(__file__).parents[2] / "app.yml"


def read_manifest() -> dict[str, Any]:
    """Return the manifest as GitHub reads it: `default_permissions`, `default_events`, and more."""
    text = _PACKAGED.read_text() if _PACKAGED.is_file() else _CHECKOUT.read_text()
    manifest: dict[str, Any] = yaml.safe_load(text)
    return manifest
