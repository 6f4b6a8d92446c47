"""Reads a run's event file with TensorBoard's own reader and compares it with metrics.jsonl, number by number.

usage: read_events.py RUN    status 77 where TensorBoard is not installed
"""
import json
import pathlib
import struct
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    sys.exit(77)

run = pathlib.Path(sys.argv[1])
events = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
events.Reload()
found = {}
for tag in events.Tags()["scalars"]:
    found[tag] = [(e.step, e.value, e.wall_time) for e in events.Scalars(tag)]

expected = {}
for text in (run / "metrics.jsonl").read_text().splitlines():
    line = json.loads(text)
    for name, value in line.items():
        if name in ("stage", "step", "time"):
            continue
        as_float = struct.unpack("f", struct.pack("f", value))[0]
        expected.setdefault(line["stage"] + "/" + name, []).append((line["step"], as_float, line["time"]))

if not expected or found != expected:
    different = [tag for tag in sorted(set(found) | set(expected)) if found.get(tag) != expected.get(tag)]
    sys.exit(f"{run}: TensorBoard reads otherwise than metrics.jsonl says: {', '.join(different) or 'nothing there'}")
print(f"{run}: {sum(map(len, found.values()))} scalars of {len(found)} series agree")
