"""fork's shared file offset: shown on CpGPT's own dataset, detected, and treated."""

from __future__ import annotations

import copyreg
import io
import random
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cpgpt_doctor import pages
from cpgpt_doctor.patient import upstream
from cpgpt_doctor.patient.compute.reader import PositionalFile, shareable
from cpgpt_doctor.patient.observe import workers
from cpgpt_doctor.patient.pickling.unpicklable import find_unpicklable
from tests.conftest import write_genome


@pytest.fixture(scope="module")
def module() -> Any:
    return upstream.import_alone()


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> str:
    return workers.made_up_genome(str(tmp_path_factory.mktemp("genome")))


def dataset(module: Any, genome: str, count: int, *, treated: bool) -> Any:
    fasta = module.Fasta(genome)
    locations = workers.some_locations(fasta, count)
    return module.GenomicSequenceDataset(locations, shareable(fasta) if treated else fasta, 2001)


def sequences(data: Any, method: str, count: int) -> list[str]:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        data, batch_size=64, num_workers=count, multiprocessing_context=method, collate_fn=list
    )
    return [item["sequence"] for batch in loader for item in batch]


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.full)])
def test_forked_workers_of_cpgpt_move_the_parents_position_each_time(
    module: Any, genome: str, times: int
) -> None:
    for _ in range(times):
        data = dataset(module, genome, 100, treated=False)
        seen = workers.moved_by_a_child(partial(workers.read_ends, data))
        assert [each["path"] for each in seen["moved"]] == [genome]
        assert seen["forked"]["ended"] == "well"


def test_forked_workers_of_cpgpt_read_wrong_windows(module: Any, genome: str) -> None:
    """The fault itself; a single trial can miss it, five in a row have not."""
    wrong = 0
    for _ in range(5):
        data = dataset(module, genome, 4000, treated=False)
        trial = workers.forked_trial(data, dataset(module, genome, 4000, treated=True))
        assert trial is not None
        wrong += trial["wrong"]
    assert wrong > 0


def test_one_forked_worker_of_cpgpt_reads_right(
    module: Any, genome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position is shared with this process, which does not read meanwhile (CPG202)."""
    monkeypatch.setattr(workers, "TRIAL_WORKERS", 1)
    data = dataset(module, genome, 4000, treated=False)
    trial = workers.forked_trial(data, dataset(module, genome, 4000, treated=True))
    assert trial == {"workers": 1, "windows": 4000, "wrong": 0}


def test_the_treated_genome_moves_nobodys_position(module: Any, genome: str) -> None:
    data = dataset(module, genome, 100, treated=True)
    data[0]  # the file is open before the fork, as in a real run
    seen = workers.moved_by_a_child(partial(workers.read_ends, data))
    assert seen["moved"] == []
    assert (seen["forked"]["ended"], seen["forked"]["items"]) == ("well", 3)
    assert seen["forked"]["size"] >= 3 * 2000


@pytest.mark.parametrize("windows", [10_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_of_windows_read_by_8_forked_workers_from_the_treated_dataset_none_is_wrong(
    module: Any, genome: str, windows: int
) -> None:
    data = dataset(module, genome, windows, treated=True)
    data[0]
    trial = workers.forked_trial(data, dataset(module, genome, windows, treated=False))
    assert trial == {"workers": 8, "windows": windows, "wrong": 0}


def test_the_treated_dataset_pickles_whole(module: Any, genome: str) -> None:
    assert find_unpicklable(dataset(module, genome, 10, treated=False), "dataset").culprits
    anatomy = find_unpicklable(dataset(module, genome, 10, treated=True), "dataset")
    assert anatomy.culprits == ()
    assert anatomy.size is not None


@pytest.mark.parametrize(
    "method",
    ["fork", *(pytest.param(each, marks=pytest.mark.full) for each in ("spawn", "forkserver"))],
)
def test_the_treated_dataset_reads_right_under_every_start_method(
    module: Any, genome: str, method: str
) -> None:
    data = dataset(module, genome, 300, treated=True)
    plain = dataset(module, genome, 300, treated=False)
    assert sequences(data, method, 2) == [plain[at]["sequence"] for at in range(300)]


def test_the_treated_genome_keeps_pyfaidxs_meaning(module: Any, tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    write_genome(path)
    plain, treated = module.Fasta(str(path)), shareable(module.Fasta(str(path)))
    assert list(plain.keys()) == list(treated.keys())
    rng = random.Random(0)
    for name in plain.keys():  # noqa: SIM118 - a Fasta iterates over records
        length = len(plain[name])
        ends = [(0, 1), (0, length), (length - 1, length), (length - 5, length + 50), (5, 5)]
        spans = ends + [
            (start, start + rng.randrange(3000))
            for start in (rng.randrange(length) for _ in range(300))
        ]
        for start, end in spans:
            assert str(plain[name][start:end]) == str(treated[name][start:end])


def test_the_remedy_in_the_users_own_code_makes_cpgpts_dataset_picklable(
    module: Any, genome: str
) -> None:
    """The remedy of CPG201's page, run as it stands there but for the embedding itself."""
    before = find_unpicklable(dataset(module, genome, 10, treated=False), "dataset")
    assert len(before.culprits) == 4
    code = pages.remedies("CPG201", "en")["make-picklable"].after
    assert code
    registered = dict(copyreg.dispatch_table)
    try:
        embedder = SimpleNamespace(parse_dna_embeddings=lambda *given, **settings: None)
        exec(code, {"embedder": embedder, "locations": [], "species": "homo_sapiens"})
        data = dataset(module, genome, 100, treated=False)
        assert find_unpicklable(data, "dataset").culprits == ()
        assert sequences(data, "spawn", 1) == [data[at]["sequence"] for at in range(100)]
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(registered)


def test_a_pickled_genome_opens_its_file_where_it_arrives(module: Any, genome: str) -> None:
    fasta = shareable(module.Fasta(genome))
    before = str(fasta["1"][500:600])
    again = ForkingPickler.loads(ForkingPickler.dumps(fasta))
    fasta.faidx.file.close()
    assert str(again["1"][500:600]) == before


def test_a_positional_file_reads_like_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 40)
    ours = PositionalFile(str(path))
    with path.open("rb") as theirs:
        for offset, size in [(0, 10), (10_235, 100), (10_240, 5), (20_000, 3), (77, 0), (5, 9000)]:
            ours.seek(offset)
            theirs.seek(offset)
            assert ours.read(size) == theirs.read(size)
            assert ours.tell() == theirs.tell()


def test_a_compressed_genome_is_refused(module: Any, genome: str) -> None:
    fasta = module.Fasta(genome)
    fasta.faidx.file.close()
    fasta.faidx.file = io.StringIO()  # what bgzip's reader is to us: not a plain file
    with pytest.raises(ValueError, match="only plain FASTA"):
        shareable(fasta)
