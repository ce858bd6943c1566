"""From an archive to a plan of what a restore does, with no cluster: download, choice, order, bindings.

It writes nothing but spools in the work folder.
"""
