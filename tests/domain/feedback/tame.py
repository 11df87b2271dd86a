"""The same report with a harmless text in the place of each from outside."""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from bot.domain.feedback.report import Cause, FailedJob, Failure, Flake, Job, Report, Run
from bot.domain.feedback.words.excerpt import lines_of
from bot.domain.feedback.words.markdown import code, link, server_of
from bot.domain.feedback.words.wording import _IN_CONCLUSIONS
from bot.domain.fingerprints import is_generic

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TAME = "tame"


def tame(told: Report) -> Report:
    """The same report in tame words; a text that shows nothing stays so, and a URL that can't be linked to is none."""
    server = server_of(told.html_url)
    return replace(
        told,
        html_url=f"{server}/x" if server else "x",
        head_sha=_text(told.head_sha),
        base_branch=_text(told.base_branch),
        causes=tuple(_cause(each, server) for each in told.causes),
        flakes=tuple(_flake(each, server) for each in told.flakes),
        cancelled_jobs=tuple(_job(each, server) for each in told.cancelled_jobs),
        runs_without_jobs=tuple(_run(each, server) for each in told.runs_without_jobs),
        waiting_for_approval=tuple(_run(each, server) for each in told.waiting_for_approval),
    )


def _text(text: Any) -> Any:
    if text is None or text == "":
        return text
    return TAME if code(text) != code("") else " "


def _url(url: str | None, server: str | None) -> str | None:
    if not url:  # Then that of the run is taken.
        return url
    return f"{server}/tame" if link("x", url, server) != "x" else "elsewhere"


def _run(each: Run, server: str | None) -> Run:
    name, path = _text(each.workflow_name), each.workflow_path.rpartition("/")[2]
    conclusion = each.conclusion if each.conclusion in _IN_CONCLUSIONS else _text(each.conclusion)
    return replace(
        each,
        workflow_name=name,
        workflow_path=_text(path),
        conclusion=conclusion,
        html_url=_url(each.html_url, server),
    )


def _job(each: Job, server: str | None) -> Job:
    return replace(each, name=_text(each.name), step=_text(each.step), html_url=_url(each.html_url, server))


def _failure(each: Failure) -> Failure:
    anchor = each.anchor if each.anchor is not None and is_generic(each.anchor) else _text(each.anchor)
    # Whether there is anything to show besides the anchor follows from what the lines say.
    lines = (TAME, "other") if lines_of(each) else ()
    return replace(each, step=_text(each.step), test=_text(each.test), anchor=anchor, lines=lines)


def _cause(each: Cause, server: str | None) -> Cause:
    return replace(each, jobs=tuple(_failed(failed, server) for failed in each.jobs))


def _failed(each: FailedJob, server: str | None) -> FailedJob:
    base = each.evidence.base
    known = replace(base, branch=TAME, sha=_text(base.sha)) if base else None
    return replace(
        each,
        job=_job(each.job, server),
        run=_run(each.run, server),
        failure=_failure(each.failure) if each.failure else None,
        evidence=replace(each.evidence, base=known),
    )


def _flake(each: Flake, server: str | None) -> Flake:
    return replace(
        each,
        job=_job(each.job, server),
        run=_run(each.run, server),
        attempts=tuple((n, "success") for n, _ in each.attempts),
    )


def leaves(markdown: str) -> list[Token]:
    """All tokens in order, those of lines in the place of the lines."""
    return [leaf for token in PARSER.parse(markdown) for leaf in (token.children or [token])]


def structure(found: list[Token]) -> list[tuple[str, str]]:
    """What kind of thing follows on what, and all that is said outside of code."""
    return [(leaf.type, "" if leaf.type in {"code_inline", "fence"} else leaf.content) for leaf in found]
