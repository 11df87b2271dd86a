"""Benchmarks: each one defends the fast paths of `bot` with figures, against yardsticks measured in the same run."""
