"""The first ten minutes: the link that opens the set-up page, registering the App, and how far everything has come."""
