"""What an object needs: by its fields, its owners, its annotations, and by what a cluster does on its own."""
