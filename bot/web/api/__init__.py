"""The JSON API: one small file per resource.

A handler gets a scope and a query that were checked, and returns the shape of its answer. What it calls may raise
ParameterError (a cursor that is none), NotFound or DatabaseUnavailable; the middleware turns them into problems.
"""
