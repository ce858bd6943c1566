"""The Prefect flows, one a file, and the command line that starts them."""
