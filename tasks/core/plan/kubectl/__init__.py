"""A plan as a bash script of kubectl commands, for who has nothing else."""
