"""`bench`: what worker settings cost on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpgpt_doctor.commands.options import Commands, add_common, new_file, positive
from cpgpt_doctor.reports import stream

EXAMPLES = """\
examples:
  cpgpt-doctor bench --genome Homo_sapiens.GRCh38.dna.toplevel.fa --batch-size 8
  cpgpt-doctor bench --plot loading.svg             a chart, too (needs cpgpt-doctor[plot])
  cpgpt-doctor bench --start-method spawn           what macOS and Windows meet
  cpgpt-doctor bench --format json | jq .settings

Nothing is downloaded: tokenizer and model come from the cache that HF_HOME names. The model is
timed where it is cached.
"""


def add(commands: Commands) -> None:
    bench = commands.add_parser(
        "bench",
        help="measure what worker settings cost on this machine",
        description="Measure windows a second and wrong windows of CpGPT's loading with 0, 2, 4"
        " and 8 workers and of the safe path, and the time of a forward pass.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common(bench)
    bench.add_argument("--genome", type=Path, metavar="FASTA", help="default: one that is made up")
    bench.add_argument("--dna-llm", metavar="NAME", help="default: CpGPT's own")
    bench.add_argument(
        "--batch-size", type=positive, default=1, metavar="N", help="default: CpGPT's own, 1"
    )
    bench.add_argument(
        "--windows", type=positive, default=2000, metavar="N", help="a setting and round: 2000"
    )
    bench.add_argument(
        "--start-method",
        choices=("fork", "spawn", "forkserver"),
        help="of CpGPT's workers (default: the platform's)",
    )
    bench.add_argument("--format", choices=("terminal", "json"), default="terminal")
    bench.add_argument(
        "--plot", type=new_file, metavar="FILE", help="also draw a chart, .svg or .png"
    )
    bench.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cpgpt_doctor import bench
    from cpgpt_doctor.reports import bench_plot, bench_terminal

    if args.plot:
        bench_plot.check(args.plot)
    output = stream.standard_output()
    notes = stream.console(sys.stderr, "en")
    notes.print("measuring (a minute or two; let the machine do nothing else)")
    measured = bench.measure(
        python=args.python,
        genome=args.genome,
        dna_llm=args.dna_llm,
        batch_size=args.batch_size,
        windows=args.windows,
        start_method=args.start_method,
    )
    if args.plot:
        bench_plot.save(measured, args.plot)
    if args.format == "json":
        stream.write_utf8(bench.to_json(measured))
    else:
        bench_terminal.render(measured, stream.console(output, "en"))
    return 0
