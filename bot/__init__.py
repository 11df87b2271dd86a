"""Runledger: a self-hosted GitHub App that remembers every GitHub Actions run."""

__version__ = "0.1.0"
