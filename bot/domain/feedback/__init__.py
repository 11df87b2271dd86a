"""What a pull request is told: how its commit stands, which failures are its own, when it is told and in what words."""
