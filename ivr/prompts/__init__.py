"""What the line says: the catalogue of prompts and their sound files."""
