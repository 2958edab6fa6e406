# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader

if __name__ == "__main__":
    loader = DataLoader([1, 2, 3], num_workers=2, persistent_workers=True)
