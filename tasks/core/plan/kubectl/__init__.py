"""A plan as a bash script of kubectl commands, for users without Kubeferry."""
