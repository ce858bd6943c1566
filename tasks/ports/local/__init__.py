"""This machine: clock, files, paths, processes, threads, work folders, progress, plug-ins.

It also reads the declarations that ship with Kubeferry. Every other port may import it; it imports no other port.
"""
