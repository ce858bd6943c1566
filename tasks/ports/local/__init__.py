"""This machine: clock, files, paths, processes, threads, work folders, progress, plug-ins.

And the declarations that ship with Kubeferry. Every other port may use it; it uses none of them.
"""
