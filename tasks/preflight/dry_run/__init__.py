"""Ask the API server what it would refuse: creates and updates with `dryRun=All`, of which nothing is stored."""
