"""Workflows as plain functions: `@step` and `@workflow`, and the compiler from a function's syntax tree.

Called, a decorated function is the function. What is compiled is its text: nothing here runs a workflow to find out
what it does.
"""
