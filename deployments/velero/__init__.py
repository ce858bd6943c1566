"""The real Velero, built from source and run on the sandbox: Kubeferry's tests and benchmark compare with it."""
