"""Rights and secrets: what a job may not do, or was not given."""

from bot.domain.failures.rule import rules

RULES = rules(
    "access",
    (96, "resource not accessible", r"Resource not accessible by (?:integration|personal)"),
    (96, "input required and not supplied", r"Input required and not supplied"),
    (95, "bad credentials", r"[Bb]ad credentials"),
    (96, "actions_id_token", r"ACTIONS_ID_TOKEN_REQUEST_URL"),
    (
        95,
        "credentials could not be loaded|could not load credentials",
        r"(?i)credentials could not be loaded|could not load credentials",
    ),
    (96, "not authorized to perform", r"[Nn]ot authorized to perform"),
    (95, "username and password required", r"Username and password required"),
    (
        84,
        "authentication failed|invalid username|incorrect username",
        r"(?i)authentication failed|(?:invalid|incorrect) username",
    ),
    (92, "eneedauth|e401|e403", r"\b(?:ENEEDAUTH|E401|E403)\b"),
    (
        80,
        "401 unauthorized|403 forbidden|status code 40|code: 40|code 401|code 403",
        r"(?i)401 unauthorized|403 forbidden|(?:status )?code:? 40[13]\b",
    ),
    (90, "eacces|eperm", r"\b(?:EACCES|EPERM)\b"),
    (82, "permission denied|access denied|access is denied", r"(?i)permission denied|access (?:is )?denied"),
    (
        90,
        "is not set|must be set|not provided|is missing|is empty",
        r"\b(?-i:[A-Z_]{4,60})\b.{0,40}(?:is not set|must be set|not provided|is missing|is empty)",
    ),
    (
        84,
        "not set|missing|empty|not provided|required",
        (
            r"(?i)\b(?:secret|token|password|credential|variable)s?\b.{0,60}(?:not set|missing|empty|"
            r"not provided|required)"
        ),
    ),
    (
        93,
        "token not found|token required|no token|token is required",
        r"(?i)token not found|token (?:is )?required|no token",
    ),
    (84, "insufficient", r"(?i)insufficient (?:permission|privilege|scope|access)"),
    (
        93,
        "accessdenied|unauthorizedoperation|permission_denied",
        r"AccessDenied|UnauthorizedOperation|PERMISSION_DENIED",
    ),
    (76, "expired", r"(?i)(?:token|credential|session|license)s? .{0,30}expired"),
    ignore_case=True,
)
