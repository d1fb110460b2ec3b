# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Part of ./dev: runs the fuzz targets. What they find stays in build/fuzz/found; what they have tried in build/fuzz/corpus, for the
# next run.

has_fuzzer() {
  have clang && have clang++ &&
    echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer,address,undefined -x c++ - -o /dev/null >/dev/null 2>&1
}

# fuzz_all SECONDS: so long in all, half of it the channel. Adds one row.
fuzz_all() {
  if ! has_fuzzer; then
    not_run fuzz "there is no clang with libFuzzer"
  elif build fuzz; then
    check "fuzz" fuzz_targets $(($1 / 2)) $((($1 + 5) / 6))
  else
    row "fuzz: build failed" 1 0 1 0 0
  fi
}

fuzz_targets() {
  fuzz_one fuzz_channel "$1" && fuzz_one fuzz_segment "$2" && fuzz_one fuzz_handshake "$2" && fuzz_one fuzz_broadcast "$2"
}

# fuzz_one TARGET SECONDS. Every input is a list of steps, so random bytes are as good a beginning as any.
fuzz_one() {
  say "$1: $2 seconds"
  corpus=build/fuzz/corpus/$1
  mkdir -p "$corpus" build/fuzz/found
  for seed in 1 2 3 4 5 6 7 8; do
    [ -f "$corpus/$seed" ] || head -c 400 /dev/urandom >"$corpus/$seed"
  done
  build/fuzz/tests/"$1" -max_total_time="$2" -timeout=10 -max_len=512 -len_control=0 -rss_limit_mb=2048 \
    -verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/found/ "$corpus"
}
