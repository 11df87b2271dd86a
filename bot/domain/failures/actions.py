"""Actions themselves: ones that can't be found, inputs, artifacts, caches, set-up of tools, workflow files."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "actions",
    (97, "unable to resolve action", r"Unable to resolve action"),
    (97, "can't find 'action.yml'", r"Can't find 'action\.yml'"),
    (97, "missing download info", r"Missing download info for"),
    (97, "automatically failed because", r"has been automatically failed because"),
    (96, "invalid workflow file|template is not valid", r"Invalid workflow file|template is not valid"),
    (96, "unable to process file command", r"Unable to process file command", told_by(1, r"^##\[error\]\S")),
    (95, "invalid format '", r"Invalid format '"),
    (95, "only supported on linux", r"only supported on Linux"),
    (
        96,
        "with architecture|unable to find node version|unable to find ruby| was not found| with arch",
        r"(?i)version .+ with arch\w* .+ (?:was )?not found|Unable to find (?:Node|Ruby) version",
    ),
    (
        95,
        "could not find satisfied version|unable to find",
        r"Could not find satisfied version|Unable to find (?:\w+ )?version",
    ),
    (95, "dependencies lock file is not found", r"Dependencies lock file is not found"),
    (94, "paths were not resolved", r"paths were not resolved"),
    (
        95,
        "artifact not found|unable to find any artifact|artifact with this name",
        r"(?i)artifact not found|unable to find any artifact|artifact with this name",
    ),
    (
        94,
        "failed to createartifact|failed to finalizeartifact|failed to listartifact",
        r"Failed to (?:Create|Finalize|List)Artifact",
    ),
    (92, "no files were found", r"No files were found with the provided path"),
    (94, "failed to initialize container|docker pull failed", r"Failed to initialize container|Docker pull failed"),
    (76, "containers failed to start", r"containers failed to start"),
    (92, "artifact storage quota|storage quota", r"storage quota"),
    (93, "no file matches|pattern|no file in ", r"[Pp]attern .+ does not match any files|No file in .+ matched"),
    ignore_case=True,
)
