from cpgpt.data.components.dna_llm_embedder import GenomicSequenceDataset
from pyfaidx import Fasta
from torch.utils.data import DataLoader

dataset = GenomicSequenceDataset(["1:100"], Fasta("genome.fa"), 2001)
loader = DataLoader(dataset, num_workers=2)  #> 602
