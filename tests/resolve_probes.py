"""What unmodified CpGPT makes of probes: its prober's answers, and what its data saver writes.

Run in a patient's interpreter with the path of a request. The prober clones the manifests from
GitHub where it has no database; here they lie in the folder already.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from cpgpt.data.components.cpgpt_datasaver import CpGPTDataSaver
from cpgpt.data.components.dna_llm_embedder import DNALLMEmbedder
from cpgpt.data.components.illumina_methylation_prober import IlluminaMethylationProber

request = json.loads(Path(sys.argv[1]).read_text())
dependencies = request["dependencies"]
IlluminaMethylationProber.download_illumina_metadata = lambda self, force=False: None
embedder = DNALLMEmbedder(dependencies)
prober = IlluminaMethylationProber(dependencies, embedder)
prober.parse_illumina_metadata(human=False, mammalian=True)
answers = {
    species: {
        name: located[0]
        for name in request["names"]
        if (located := prober.locate_probes([name], species))
    }
    for species in request["species"]
}
if request["matrix"]:
    saver = CpGPTDataSaver(request["matrix"], processed_dir=request["processed"])
    saver.process_files(prober, embedder)
Path(request["answers"]).write_text(json.dumps(answers))
np.save(request["out"], np.zeros(0))
