"""How the schema came to be, in order."""
