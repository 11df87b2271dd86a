"""What the scripted server is asked for, over and over: a read and a write."""

from bot.github import Client, pulls, runs

REPOSITORY = "octo/widgets"
RUN = "/repos/octo/widgets/actions/runs/1"
RUNS = "/repos/octo/widgets/actions/runs"
COMMENTS = "/repos/octo/widgets/issues/5/comments"


async def get(client: Client) -> object:
    return (await runs.get_run(client, REPOSITORY, 1)).data


async def comment(client: Client) -> object:
    return (await pulls.create_comment(client, REPOSITORY, 5, "hello")).data
