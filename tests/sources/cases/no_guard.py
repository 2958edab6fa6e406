# Windows of a genome, as cpgpt reads them.
from torch.utils.data import DataLoader

loader = DataLoader([1, 2, 3], num_workers=2)  #> 606=error@MWF
print(list(loader))
