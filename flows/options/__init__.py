"""Command-line options: made from the models of a flow's options, parsed, and completed by the shell.

It knows nothing of tables and pages.
"""
