"""What memory a machine has left, behind the port Memory."""
