"""Reports: what was judged, for a reader or a program. Nothing is judged here."""
