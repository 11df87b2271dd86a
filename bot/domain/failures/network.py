"""Networks and the servers behind them: names, connections, certificates, limits, package mirrors."""

from bot.domain.failures.rule import rules

RULES = rules(
    "network",
    (95, "could not resolve host|could not resolve proxy", r"[Cc]ould not resolve (?:host|proxy)"),
    (
        94,
        "name resolution|name or service not known|nodename nor",
        r"(?i)name resolution|name or service not known|nodename nor",
    ),
    (94, "enotfound|eai_again", r"\b(?:ENOTFOUND|EAI_AGAIN)\b"),
    (94, "no such host", r"no such host"),
    (84, "econnrefused|econnreset|etimedout|epipe", r"\b(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE)\b"),
    (80, "connection ", r"(?i)connection (?:refused|reset|timed out|was reset|aborted|closed by)"),
    (93, "curl: (", r"^curl: \(\d+\) "),
    (
        94,
        "certificate|unable to get local issuer",
        r"(?i)certificate (?:problem|has expired|verify failed|is not trusted)|unable to get local issuer",
    ),
    (94, "x509: ", r"x509: "),
    (93, "tls handshake|ssl_error|ssl handshake", r"(?i)(?:tls|ssl) handshake|SSL_ERROR"),
    (84, "i/o timeout|context deadline exceeded", r"i/o timeout|context deadline exceeded"),
    (80, "bad gateway|service unavailable|gateway time", r"(?i)bad gateway|service unavailable|gateway time-?out"),
    (76, "internal server error", r"\b500 Internal Server Error"),
    (
        94,
        "too many requests|rate limit",
        r"(?i)429 too many requests|rate limit (?:exceeded|reached)|secondary rate limit",
    ),
    (94, "error 4|error 5", r"\bERROR [45]\d\d: "),
    (93, "failed to fetch", r"^E: Failed to fetch|[Ff]ailed to fetch http"),
    (
        95,
        "unable to locate package|has no installation candidate",
        r"Unable to locate package|has no installation candidate",
    ),
    (92, "e: ", r"^E: \S"),
    (94, "hash sum mismatch", r"Hash Sum mismatch"),
    (
        94,
        "no match for argument|unable to select packages|no available formula",
        r"(?i)no match for argument|unable to select packages|no available formula",
    ),
    (78, "not found|code 404|code: 404", r"(?i)\b404:? not found|(?:status|response) code:? 404"),
    (80, "read timed out|connect timeout|request timed out", r"(?i)read timed out|connect timeout|request timed out"),
    (
        82,
        "network is unreachable|no route to host|socket hang up",
        r"(?i)network is unreachable|no route to host|socket hang up",
    ),
    (92, "remote server returned an error", r"remote server returned an error: \(\d{3}\)"),
    (90, "max retries exceeded", r"Max retries exceeded with url"),
    (82, "unexpected eof|early eof|rpc failed", r"(?i)unexpected eof|early eof|RPC failed"),
    ignore_case=True,
)
