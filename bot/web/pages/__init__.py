"""The pages for people: one file per page, each a handler that gets a Visit. Nothing comes from another host."""
