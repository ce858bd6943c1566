"""Knowledge of products: the interface of the entry point group `kubeferry.rules`, its registry, and two plug-ins."""
