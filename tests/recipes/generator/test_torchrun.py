"""Two machines of one process each, as docs/batch.md shows them: one training, not two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from torch.distributed import TCPStore

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
import torch
from recipes.loop import RunConfig, start
run = start(RunConfig(Path(sys.argv[1]), 1, minutes=1e-9), accelerator="cpu")
rank = run.fabric.global_rank
total = run.fabric.all_reduce(rank + 1.0, reduce_op="sum")
net = torch.nn.ModuleList([torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(2, 1, bias=False)])
with torch.no_grad():
    net[0].weight.fill_(rank + 5)
run.agree(net)
(net[0].weight * (rank + 1)).sum().backward()
run.average_gradients(net.parameters())
grads = [net[0].weight.grad.item(), net[1].weight.grad.abs().sum().item()]
said = f"{run.fabric.world_size} {total} {net[0].weight.item()} {grads} {run.out_of_time()}"
Path(sys.argv[1], f"rank{rank}").write_text(said)
"""


def test_two_machines_train_together(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # The meeting place outlives both: a launcher that keeps it and ends first leaves the other waiting.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    words = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d"]
    words += ["--rdzv-endpoint", f"127.0.0.1:{store.port}", "--rdzv-conf", "is_host=0"]
    words += [str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [machine.communicate(timeout=240)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == [
        "2 3.0 5.0 [1.5, 0.0] True"
    ] * 2
