"""Command-line options: declared in a table, parsed into the models of a flow's options, completed by the shell.

It knows nothing of tables and pages.
"""
