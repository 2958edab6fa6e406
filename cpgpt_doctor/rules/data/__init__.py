"""Rules over what a run is given and adds to: the genome, the locations, the store."""
