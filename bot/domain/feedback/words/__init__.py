"""A report in words: Markdown in which whatever comes from elsewhere stands as code, and nothing of it acts."""
