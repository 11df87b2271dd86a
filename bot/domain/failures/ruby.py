"""Ruby: RSpec, Minitest, RuboCop, Bundler, Rake."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "ruby",
    (
        94,
        "failure/error",
        r"^\s*Failure/Error: ",
        told_by(6, r"^\s+(?:expected\b|(?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|NotFound|Invalid)\b)"),
    ),
    (80, "rspec ", r"^rspec (?P<test>\./\S+:\d+|\S+\[[\d:]+\]) # "),
    (93, "error occurred while loading", r"An error occurred while loading"),
    (93, "#test_", r"^\s*(?P<test>[\w:]+#test_\w+)(?: \[.{1,300}\]:$|:$)", told_by(1)),
    (93, "#test_", r"^\s*(?P<test>[\w:]+#test_\w+)(?: \[|:)"),
    (87, "failure:|error:", r"^\s*(?:\d+\) )?(?:Failure|Error):$"),
    (82, "rails test ", r"^(?:bin/)?rails test (?P<test>\S+:\d+)"),
    (93, ".rb:|.rake:", r"^\S{1,200}\.r(?:b|ake):\d+:\d+: [CWEF]: "),
    (92, ".rb:", r"^\S{1,200}\.rb:\d+:in .{1,300} \([\w:]+\)"),
    (93, "srb.help", r"^\S+\.rb:\d+: .+ https://srb\.help/"),
    (95, "could not find gem", r"^Could not find gem "),
    (85, "could not find", r"^Could not find \S"),
    (94, "compatible versions", r"could not find compatible versions"),
    (
        95,
        "gemfile specified|the lockfile|deployment mode|lockfile is frozen",
        r"Gemfile specified|because the lockfile|lockfile is frozen|deployment mode",
    ),
    (88, "an error occurred while installing", r"^An error occurred while installing"),
    (85, "native extension", r"Failed to build gem native extension"),
    (84, "aborted!", r"^rake aborted!|^rails aborted!"),
    (93, "connectionbad", r"ConnectionBad: "),
    (95, "expected minimum coverage", r"below the expected minimum coverage"),
    (
        86,
        "error:|exception|invalid:|notfound:",
        r"^\s{2,8}(?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|NotFound|Invalid):$",
        told_by(1),
    ),
    (
        90,
        "error|exception|invalid|missing|notfound",
        r"^(?:[A-Z]\w*::)+[A-Z]\w*(?:Error|Exception|NotFound|Invalid|Missing\w*)\b",
    ),
    (91, "confidence: ", r"^Confidence: High"),
    (91, "pending migration|migrations are pending|pendingmigration", r"[Mm]igrations are pending|PendingMigration"),
)
