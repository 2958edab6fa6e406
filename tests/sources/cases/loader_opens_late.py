# Windows of a genome, as cpgpt reads them.
from pyfaidx import Fasta
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    def __init__(self, path):
        self.path = path
        self.genome = None

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if self.genome is None:
            self.genome = Fasta(self.path)
        return self.genome["1"][index : index + 10].seq


if __name__ == "__main__":
    loader = DataLoader(Windows("genome.fa"), batch_size=2, num_workers=2)
    print(list(loader))
