# Nothing of cpgpt, but for the name of a method.


class Other:
    def parse_dna_embeddings(self, locations, num_workers=8):
        return locations


Other().parse_dna_embeddings(["1:100", "1:2000"])
Other().parse_dna_embeddings(["1:100", "1:2000"], num_workers=4)
