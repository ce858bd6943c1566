"""What Kubeferry writes on a target besides what it restores: bundles, Leases, its mark among the field managers."""
