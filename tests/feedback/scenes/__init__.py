"""The plays that feedback is shown to be right by: what happens at GitHub, at distances as in life.

Between two parts of a play the house settles, so that however late news comes, each part is told before the next.
"""

from tests.feedback.scenes import elsewhere, merge_queue, one_commit, pulls

SCENES = (
    one_commit.all_green,
    one_commit.one_failure,
    one_commit.no_base,
    one_commit.two_causes,
    one_commit.matrix_of_500,
    one_commit.annotated,
    one_commit.timed_out,
    one_commit.startup_failure,
    one_commit.still_running,
    one_commit.cancelled,
    one_commit.required_approval,
    one_commit.approved,
    one_commit.infra,
    one_commit.no_log,
    one_commit.late_log,
    elsewhere.broken_base,
    elsewhere.broken_base_and_more,
    elsewhere.flaky_after_rerun,
    elsewhere.flaky_elsewhere,
    pulls.fork,
    pulls.draft,
    pulls.made_ready,
    pulls.closed_meanwhile,
    pulls.locked,
    pulls.muted,
    pulls.head_moved_meanwhile,
    pulls.green_again,
    pulls.red_again,
    pulls.force_push_back,
    pulls.new_base,
    merge_queue.merge_group,
    merge_queue.merged_by_queue,
)
