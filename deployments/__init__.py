"""How Kubeferry is run: the sandbox, the sample application, and the manifests for production."""
