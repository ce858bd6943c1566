"""What comes after the levels: owners that came late, pauses, values that changed meanwhile, verification."""
