#!/bin/bash
# tools/gpu_check on a program that only plays one: tests that fail, crash, hang or lose the card are named, and the
# others still run. usage: gpu_check_test.sh GPU_CHECK
set -eu
check=$1
command -v python3 > /dev/null || { echo "no python3"; exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/bin" "$place/lib"

echo 'echo astroclip on a card' > "$place/bin/astroclip"
cat > "$place/bin/backend_tests" <<'TESTS'
case $1 in
  --gtest_list_tests)
    case $2 in
      *fill*) printf 'Contract/KernelTest.\n  MatchesReference/cuda_fill  # GetParam() = fill\n' ;;
      *) printf 'Contract/KernelTest.\n'; for name in good wrong crash lost absent last; do echo "  Runs/cuda_$name"; done ;;
    esac
    exit ;;
esac
IFS=: read -ra names <<< "${1#*=}"
for name in "${names[@]}"; do
  echo "[ RUN      ] $name"
  case $name in
    *wrong) printf 'case.cpp:7: Failure\ny[3]: 1, reference 2\n[  FAILED  ] %s, where GetParam() = 1 (3 ms)\n' "$name" ;;
    *crash) kill -SEGV $$ ;;
    *lost) printf 'cudaStreamSynchronize: an illegal memory access was encountered\n[  FAILED  ] %s (3 ms)\n' "$name"
      lost=1 ;;
    *absent) printf 'no card\n[  SKIPPED ] %s (0 ms)\n' "$name" ;;
    *) if [ -n "${lost:-}" ]; then echo "[  FAILED  ] $name (0 ms)"; else echo "[       OK ] $name (0 ms)"; fi ;;
  esac
done
echo '[  FAILED  ] 1 test, listed below:'
TESTS
for program in "$place"/bin/*; do
  sed -i '1i #!/bin/bash' "$program"
  chmod +x "$program"
done

if "$check" --program "$place" --out "$place/out" --parts contract > "$place/printed" 2>&1; then
  cat "$place/printed"; echo "failing tests must fail the check"; exit 1
fi
expect() { grep -qF -- "$1" "$place/out/table.txt" || { cat "$place/printed"; echo "the table lacks: $1"; exit 1; }; }
expect "2 of 5 tests passed"
expect "Contract/KernelTest.Runs/cuda_wrong: y[3]: 1, reference 2"
expect "Contract/KernelTest.Runs/cuda_crash: ended by SIGSEGV"
expect "Contract/KernelTest.Runs/cuda_lost: cudaStreamSynchronize: an illegal memory access was encountered"
expect "Contract/KernelTest.Runs/cuda_absent: skipped: no card"

# Nothing follows facts that fail: here no kernel runs.
sed -i 's/\*) if/*fill) echo "[  FAILED  ] $name (0 ms)" ;;\n    &/' "$place/bin/backend_tests"
! "$check" --program "$place" --out "$place/none" --parts contract > "$place/printed" 2>&1
grep -q "the kernel failed" "$place/none/table.txt" || { cat "$place/printed"; echo "facts must fail"; exit 1; }
! grep -q "^contract" "$place/none/table.txt" || { echo "contract must not run"; exit 1; }
