"""Hair of real photographs, worn by the face of another."""
