"""The transaction of a restore: begin, apply, wait, resolve, relink, verify, or roll back.

Everything it does is in the journal before it is done.
"""
