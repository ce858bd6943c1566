"""Command-line options: declared in a table, parsed into the models of a flow's options, completed by the shell.

It does not import the console's tables and pages.
"""
