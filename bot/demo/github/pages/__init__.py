"""The pages that people meet at the simulated GitHub: who they are, registering, installing and authorizing Apps.

`routes` has the table. Each file is one thing that people do there: handlers that take an `Ask` and return HTML or lead
on, with one form a page and no scripts. `sessions` knows who sits at a browser, `html` renders.
"""
