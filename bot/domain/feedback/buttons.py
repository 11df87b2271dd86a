"""The buttons of a finished check run.

https://docs.github.com/en/rest/checks/runs#create-a-check-run: at most three, shown only once it is completed.
"""

from typing import Final, Literal

from bot.domain.feedback.report import Report

RERUN_FAILED: Final[Literal["rerun_failed"]] = "rerun_failed"
# GitHub takes at most 20, 40 and 20 characters.
_RERUN_FAILED = {
    "label": "Re-run failed jobs",
    "description": "Runs what failed or was cancelled again",
    "identifier": RERUN_FAILED,
}
_RERUN_CANCELLED = _RERUN_FAILED | {"label": "Re-run jobs", "description": "Runs what was cancelled again"}


def buttons(report: Report, actions_write: bool) -> list[dict[str, str]]:
    """Return the `actions` of a check run: one to run failed jobs again, where any failed and the App may do that.

    A run that failed before it had any job can't be run again like that, so it alone makes no button.
    """
    may_help = report.is_finished and (report.causes or report.cancelled_jobs)
    if not (actions_write and may_help):
        return []
    return [dict(_RERUN_FAILED if report.causes else _RERUN_CANCELLED)]
