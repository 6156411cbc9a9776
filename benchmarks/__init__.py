"""Scripts that measure and print tables; results live in README.md of this folder. Nothing here is a test."""
