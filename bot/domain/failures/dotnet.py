""".NET: compilers, MSBuild, NuGet, xUnit, NUnit, MSTest."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "dotnet",
    (95, "error ", r"\berror (?:CS|FS|BC|MSB|NU|NETSDK|CA|IDE|SA|S|RZ|XA|AD|VSTHRD|BL)\d{2,5}: "),
    (94, "() failure|assert.", r"Assert\.\w+\(\)? ?[Ff]ail(?:ure|ed)|Assert\.\w+ failed"),
    (91, "[fail]", r"(?P<test>[\w.]+(?:\(.{0,200}\))?) \[FAIL\]"),
    (
        91,
        "failed ",
        r"^\s{1,4}Failed (?P<test>\w[\w.]+.{0,200}?) \[<? ?[\d.,]+ ?m?\w?",
        told_by(4, r"^\s+But was: |^ {3}(?!\s*(?:Expected: |Assert\.))\s*\S"),
    ),
    (85, "error message:", r"^\s*Error Message:"),
    (80, "but was:|actual:", r"^\s+(?:But was|Actual):\s"),
    (92, "expected ", r"^\s*Expected .{1,200}(?:, but |to be .+ but )"),
    (94, "test run was aborted|test host process crashed", r"[Tt]est run was aborted|Test host process crashed"),
    (93, "unhandled exception", r"^Unhandled [Ee]xception[.:] "),
    (
        95,
        (
            "sdk was not found|compatible .net sdk|compatible .net core sdk|"
            "compatible installed .net core sdk|compatible installed .net sdk"
        ),
        r"compatible (?:installed )?\.NET (?:Core )?SDK",
    ),
    (93, "could not execute", r"^Could not execute because"),
    (93, "is below the specified|coverage|below the minimum", r"coverage is below the specified|below the minimum"),
)
