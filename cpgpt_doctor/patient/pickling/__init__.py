"""Take an object apart, and say what in it cannot be pickled."""
