"""What preflight looks at on the target, one module a matter: none writes anything there."""
