"""Everything that shows the product without a GitHub account: the simulated GitHub and the tours built on it."""
