"""Pure rules: payloads become facts, facts are ordered. No input or output, no framework."""
