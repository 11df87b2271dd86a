"""Containers: Docker, BuildKit, Compose, Kubernetes, Helm."""

from bot.domain.failures.rule import rules

RULES = rules(
    "containers",
    (96, "cannot connect to the docker daemon", r"Cannot connect to the Docker daemon"),
    (96, "toomanyrequests", r"toomanyrequests"),
    (
        95,
        "pull access denied|manifest unknown|manifest for ",
        r"pull access denied|manifest unknown|manifest for .+ not found",
    ),
    (
        95,
        "failed to compute cache key|failed to calculate checksum",
        r"failed to (?:compute cache key|calculate checksum)",
    ),
    (95, "dockerfile parse error|unknown instruction", r"[Dd]ockerfile parse error|unknown instruction"),
    (95, "copy failed", r"COPY failed"),
    (95, "no matching manifest|exec format error", r"no matching manifest for|exec format error"),
    (90, "port is already allocated|address already in use", r"port is already allocated|address already in use"),
    (84, "authentication required|denied: ", r"unauthorized: authentication required|\bdenied: "),
    (92, "error response from daemon", r"Error response from daemon: "),
    (
        91,
        "failed to solve",
        r"failed to solve: .+: (?:not found|failed to resolve|unexpected status|no match|forbidden)",
    ),
    (54, "failed to solve|failed to build|executor failed", r"failed to (?:solve|build)|executor failed running"),
    (50, "did not complete successfully", r"did not complete successfully: exit code"),
    (36, "returned a non-zero code", r"returned a non-zero code"),
    (66, "error: ", r"^#\d+ ERROR: "),
    (58, "error: |] add |] copy |] run ", r"^ > \[.+\] (?:RUN|COPY|ADD) .+:$"),
    (
        91,
        "is unhealthy|failed to start",
        r"container \S+ is unhealthy|dependency failed to start|containers failed to start",
    ),
    (57, "exited with code|exited (", r"exited with code [1-9]|Exited \([1-9]"),
    (94, "installation failed|upgrade failed", r"(?:INSTALLATION|UPGRADE) FAILED: "),
    (91, "timed out waiting for", r"timed out waiting for (?:the condition|\S+)"),
    (93, "progress deadline", r"exceeded its progress deadline"),
    (94, "backoff|errimagepull|oomkilled", r"ImagePullBackOff|CrashLoopBackOff|ErrImagePull|OOMKilled"),
    (95, "error from server", r"Error from server \(\w+\): "),
    (94, "validating data|unable to recognize|error validating", r"error validating|unable to recognize "),
    (94, "is invalid:", r"^The \S+ \"\S+\" is invalid:"),
    (90, "asserts[", r"^\s*- asserts\[\d+\] .+ fail"),
    (84, "error building image", r"^error building image: \S"),
    (95, "parse error at", r"parse error at \("),
    (94, "[error] ", r"^\[ERROR\] (?:templates/|Chart\.yaml|values)"),
    (66, "no such image|no such container|no such service", r"[Nn]o such (?:image|container|service)"),
    ignore_case=True,
)
