#!/bin/bash
# measure.sh FOLDER: everything, in order of value, alone on the card; about five minutes on an H100.
# FOLDER/run.log gets the tables, FOLDER/clocks.csv a line a second of clock, power and temperature.
#
# CUDNNS     library folders, one set of folders for each version of cuDNN: "/new/lib:/cuda/lib64 /old/lib:/cuda/lib64".
#            The first set serves all parts, the others repeat those about cuDNN. Unset: what the system finds.
set -u
out=$1
here=$(cd "$(dirname "$0")" && pwd)
read -r -a cudnns <<< "${CUDNNS:-}"
mkdir -p "$out"

# part SECONDS PROGRAM ARGUMENT …: what fails or takes too long does not keep the next from running.
part() {
  local limit=$1 start=$SECONDS
  shift
  echo "== $*"
  timeout -k 5 "$limit" "${@/#.\//$here/}" 2>&1
  local status=$?
  echo "== status $status after $((SECONDS - start)) s, $SECONDS s in all"
}
with() { export LD_LIBRARY_PATH=$1; }

{
  nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,pcie.link.gen.max,pcie.link.width.max \
    --format=csv
  lscpu | grep -E '^(Model name|CPU\(s\)|NUMA node\(s\))'
  nvidia-smi --query-gpu=timestamp,clocks.sm,power.draw,temperature.gpu,utilization.gpu --format=csv,noheader \
    -lms 1000 > "$out/clocks.csv" 2>&1 &
  watcher=$!
  echo "# LD_LIBRARY_PATH of each set: ${cudnns[*]:-as it is}"
  with "${cudnns[0]:-${LD_LIBRARY_PATH:-}}"
  part 40 ./copies
  part 90 ./attention repeat
  part 40 ./step check
  part 100 ./step stalls
  part 70 ./step depth
  part 50 ./convolution
  part 60 ./attention float wide
  part 40 ./products
  for ((i = 1; i < ${#cudnns[@]}; ++i)); do
    with "${cudnns[i]}"
    part 60 ./attention repeat
    part 40 ./convolution
    part 40 ./attention float wide
  done
  kill "$watcher"
  echo "== done after $SECONDS s"
} 2>&1 | tee "$out/run.log"
