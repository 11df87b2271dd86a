"""A webhook bot as one writes it first: every event verified, then get-or-create and save, then the answer.

It is the yardstick for ingest in clones that have no other (PLAIN_BOT names one): as durable as the service, since each
event is committed, on SQLite with synchronous=FULL, before it is acknowledged. Settings: PLAIN_BOT_DB, PORT,
WEBHOOK_SECRET.
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from gidgethub import sansio
from gidgethub.routing import Router
from tortoise import Model, Tortoise, fields

events = Router()


class Run(Model):
    run_id = fields.BigIntField(unique=True)
    run_attempt = fields.IntField()
    repository = fields.CharField(max_length=255, db_index=True)
    name = fields.CharField(max_length=255, null=True)
    event = fields.CharField(max_length=64)
    head_sha = fields.CharField(max_length=64, db_index=True)
    head_branch = fields.CharField(max_length=255, null=True)
    status = fields.CharField(max_length=32)
    conclusion = fields.CharField(max_length=32, null=True)
    html_url = fields.TextField()
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()


class Job(Model):
    job_id = fields.BigIntField(unique=True)
    run_id = fields.BigIntField(db_index=True)
    repository = fields.CharField(max_length=255, db_index=True)
    name = fields.CharField(max_length=255)
    status = fields.CharField(max_length=32)
    conclusion = fields.CharField(max_length=32, null=True)
    runner_name = fields.CharField(max_length=255, null=True)
    steps: Any = fields.JSONField()


RUN_FIELDS = [name for name in Run._meta.fields_map if name not in {"id", "run_id", "repository"}]
JOB_FIELDS = [name for name in Job._meta.fields_map if name not in {"id", "job_id", "repository"}]


@events.register("workflow_run")
async def store_run(event: sansio.Event) -> None:
    told = event.data["workflow_run"]
    columns = {name: told.get(name) for name in RUN_FIELDS}
    columns["repository"] = event.data["repository"]["full_name"]
    await Run.update_or_create(columns, run_id=told["id"])


@events.register("workflow_job")
async def store_job(event: sansio.Event) -> None:
    told = event.data["workflow_job"]
    columns = {name: told.get(name) for name in JOB_FIELDS}
    columns["repository"] = event.data["repository"]["full_name"]
    await Job.update_or_create(columns, job_id=told["id"])


async def webhook(request: web.Request) -> web.Response:
    body = await request.read()
    event = sansio.Event.from_http(request.headers, body, secret=os.environ["WEBHOOK_SECRET"])
    await events.dispatch(event)
    return web.Response(status=202)


async def open_database(_app: web.Application) -> AsyncIterator[None]:
    await Tortoise.init(db_url=os.environ["PLAIN_BOT_DB"], modules={"models": [__name__]}, _enable_global_fallback=True)
    await Tortoise.generate_schemas()
    yield
    await Tortoise.close_connections()


def main() -> None:
    app = web.Application(client_max_size=26 * 1024 * 1024)
    app.cleanup_ctx.append(open_database)
    app.router.add_post("/api/github/webhooks", webhook)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)


if __name__ == "__main__":
    main()
