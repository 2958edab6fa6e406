"""Species by the names that people use, where CpGPT wants Ensembl's."""

from __future__ import annotations

import difflib
from collections.abc import Collection

# By common names, and by those of assemblies; the right side is Ensembl's production name.
COMMON = {
    **dict.fromkeys(("human", "hg38", "grch38", "hg19", "grch37"), "homo_sapiens"),
    **dict.fromkeys(("mouse", "mm10", "mm39", "grcm38", "grcm39"), "mus_musculus"),
    "rat": "rattus_norvegicus",
    "dog": "canis_lupus_familiaris",
    "cat": "felis_catus",
    "cow": "bos_taurus",
    "pig": "sus_scrofa",
    "horse": "equus_caballus",
    "rabbit": "oryctolagus_cuniculus",
    "chicken": "gallus_gallus",
    "zebrafish": "danio_rerio",
    "macaque": "macaca_mulatta",
    "chimpanzee": "pan_troglodytes",
}


def meant(name: str, known: Collection[str]) -> str | None:
    """The species that a name stands for among those known: "human", "Homo sapiens"."""
    plain = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    found = COMMON.get(plain, plain)
    return found if found in known and found != name else None


def hint(name: str, known: Collection[str]) -> str:
    """What to say of a species that is not known: the one that is meant, or those that are near."""
    other = meant(name, known)
    if other is not None:
        return f"; CpGPT names species as Ensembl does, so say --species {other} (CPG714)"
    close = difflib.get_close_matches(name, known, 3)
    return f"; did you mean {' or '.join(close)}?" if close else ""
