# Windows of a genome, as cpgpt reads them.
from pyfaidx import Fasta
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    def __init__(self, path):
        self.genome = Fasta(path)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.genome["1"][index : index + 10].seq


loader = DataLoader(Windows("genome.fa"), batch_size=2)
print(list(loader))
