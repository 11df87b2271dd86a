"""`python -m bot` is `runledger`."""

from bot.cli import main

if __name__ == "__main__":
    main()
