"""This machine: clock, files, paths, processes, threads, work folders, progress, plug-ins.

Every other port may use it; it uses none of them.
"""
