"""How Kubeferry is run: the sandbox, the sample, and what goes into production."""
