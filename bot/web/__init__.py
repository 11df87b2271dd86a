"""Everything that answers HTTP: the webhook, the JSON API and the pages, all from one table in `routes`."""
