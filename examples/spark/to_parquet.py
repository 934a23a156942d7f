"""to_parquet.py FOLDER OUT: gallery.npy and bank.npy of a folder as the Parquet that bias_job.py reads, rows scaled to unit length."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
import nnn  # noqa: E402

if len(sys.argv) != 3:
    sys.exit(__doc__)
folder, out = map(Path, sys.argv[1:])
out.mkdir(parents=True, exist_ok=True)
for name in ("gallery", "bank"):
    rows = nnn.normalize(np.load(folder / f"{name}.npy").astype(np.float32))
    columns = {"id": np.arange(len(rows))} if name == "gallery" else {}
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    pq.write_table(pa.table(columns), out / f"{name}.parquet", row_group_size=10_000)
    print(f"{out / name}.parquet: {rows.shape[0]} x {rows.shape[1]}")
