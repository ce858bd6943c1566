"""The commands of `kubeferry`, one group a file. Each parses its options, starts a flow and prints its result."""
