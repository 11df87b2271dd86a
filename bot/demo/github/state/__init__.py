"""What the simulated GitHub knows: its entities and the world that holds them."""
