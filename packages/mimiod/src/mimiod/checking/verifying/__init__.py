"""The parts of the verification: reading, following what documents say of each other, and testing shares."""
