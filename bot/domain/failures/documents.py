"""Documents and sites: LaTeX, Sphinx and its kin, static site generators, spelling, links."""

from bot.domain.failures.rule import proven_by, rules

RULES = rules(
    "documents",
    (95, ".tex:|.sty:|.cls:|.ltx:|.bib:", r"^\S{1,200}\.(?:tex|sty|cls|ltx|bib):\d+: (?!Emergency stop| *==>)\S"),
    (94, "! ", r"^! (?!Emergency stop| *==>)\S", proven_by(12, r"^l\.\d+ |^! |^<\S", otherwise=50)),
    (50, "==> fatal error occurred", r"==> Fatal error occurred"),
    (50, "build finished with problems", r"^build finished with problems"),
    (93, "liquid exception", r"Liquid Exception: \S"),
    (93, "error building site", r"error building site: \S"),
    (92, "config value", r"^(?:ERROR +-  )?Config value '.+': "),
    (93, "unknown word", r"^\S+:\d+:\d+ - Unknown word"),
    (92, "internally linking to|external link ", r"internally linking to \S+,? which|External link \S+ failed"),
)
