"""GitHub's JSON: one function per object, pure, for webhooks and REST alike.

Each takes the `Addresses` to build its URLs on first, then the entity. Field by field they follow GitHub's published
schemas (https://docs.github.com/en/webhooks/webhook-events-and-payloads), to which the tests hold every body.
"""
