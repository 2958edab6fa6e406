# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader


def main():
    loader = DataLoader([1, 2, 3], num_workers=2)
    print(list(loader))


if __name__ == "__main__":
    main()
