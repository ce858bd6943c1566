"""The output of commands: tables, results, progress and pages; and how a command starts its flow.

It runs no step. Only the commands and the command line import it.
"""
