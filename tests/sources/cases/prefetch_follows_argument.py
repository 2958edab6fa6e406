# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader


def loader(data, num_workers):
    return DataLoader(
        data,
        num_workers=num_workers,
        prefetch_factor=2 if num_workers > 0 else None,
        persistent_workers=bool(num_workers),
    )


loader([1], 0)
if __name__ == "__main__":
    loader([1], 2)
