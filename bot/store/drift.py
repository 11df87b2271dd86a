"""`python -m bot.store.drift`: exits 1 and says what is missing when the models are ahead of the migrations."""

import asyncio
import sys

from bot.store.migrate import drift

if __name__ == "__main__":
    missing = asyncio.run(drift())
    for line in missing:
        print(f"no migration yet: {line}", file=sys.stderr)
    sys.exit(1 if missing else 0)
