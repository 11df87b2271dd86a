"""What people and machines do on GitHub: each operation moves the world on and tells the events that follow."""
