from mylab.embedding import Embedding

Embedding(workers=2).run(["1:100"])
