"""What is told on GitHub: the check summary of a commit, the comment on a pull request, and what its buttons ask for."""
