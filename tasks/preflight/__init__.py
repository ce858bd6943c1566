"""What a restore asks its target before it writes: look-ups, conflicts, checks, approval.

It changes nothing in the cluster.
"""
