"""What the model's commands do, each in a module of its own."""
