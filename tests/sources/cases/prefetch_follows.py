# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader

num_workers = 0
loader = DataLoader(
    [1, 2, 3],
    num_workers=num_workers,
    prefetch_factor=2 if num_workers > 0 else None,
    persistent_workers=num_workers > 0,
)
