# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader

loader = DataLoader([1, 2, 3], prefetch_factor=4)  #> 603=error@LMWF
