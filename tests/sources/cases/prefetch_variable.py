# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader

workers = 0
loader = DataLoader(
    [1, 2, 3],
    num_workers=workers,
    prefetch_factor=2,  #> 603=error@LMWF
)
