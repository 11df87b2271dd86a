"""Infrastructure, clouds and databases: Terraform, Ansible, CloudFormation, the clouds' own commands, SQL."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "infrastructure",
    (95, "error acquiring the state lock", r"Error acquiring the state lock"),
    (94, "error: ", r"^[│╷|] ?Error: \S"),
    (84, "error: ", r"^Error: \S"),
    (95, "fatal: [|failed: [", r"^(?:fatal|failed): \[.+\](?:: | =>|.{0,100} => )"),
    (93, "error! ", r"^ERROR! \S"),
    (93, "❌", r"^\s*❌ +\S.{0,200} failed"),
    (94, "_failed", r"\b(?:CREATE|UPDATE|DELETE|IMPORT)_FAILED\b(?!.{0,300}cancell?ed)"),
    (95, "an error occurred (", r"An error occurred \(\w+\) when calling the"),
    (95, "error: (gcloud", r"ERROR: \(gcloud\.\S+\) "),
    (93, "error: (", r"^ERROR: \(\w+\) \S"),
    (94, ".tf:", r"^\S+\.tf:\d+(?::\d+)?: Error\b"),
    (60, ".tf", r"^\S+\.tf(?:vars)?$"),
    (
        90,
        "errors occurred:|error occurred:",
        r"\d+ errors? occurred:$",
        told_by(1, r"^\s*\* (?!.{0,300}exit status \d+$)\S"),
    ),
    (90, "==> ", r"^==> [\w.-]+: (?:Error |Failed |Script exited|.{0,200}\berror: )"),
    (88, "task/handler: ", r"^\S+\.ya?ml:\d+(?::\d+)? Task/Handler: ", told_by(-1, r"^[a-z][\w-]*(?:\[[\w-]+\])?: \S")),
    (82, "' errored", r"^(?:==> )?Build '.+' errored"),
    (94, "psql:", r"^psql: error: |^psql:.{1,200} ERROR: "),
    (86, "fatal:  ", r"\bFATAL:  \S"),
    (94, "error ", r"^ERROR \d{4} \(\w{5}\)"),
    (85, "error:  ", r"\bERROR:  \S"),
    (94, "error: p", r"^Error: P\d{4}\b"),
    (92, "migration", r"[Mm]igration .{0,200}(?:failed|checksum mismatch|conflict)"),
    (
        93,
        "failed creating|failed updating|failed deleting|creating failed|deleting failed|updating failed",
        r"(?:creating|updating|deleting) failed(?!.{0,200}occurred:$)",
    ),
    (93, "quota", r"(?i)quota .{0,40}exceeded|exceeded .{0,40}quota"),
)
