"""From something that happened to a signed delivery over HTTP, and the log of how that went."""
