"""The real Velero, built from source and run on the sandbox: what Kubeferry's tests and benchmark hold it against."""
