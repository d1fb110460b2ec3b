# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Part of ./dev: builds and tests presets, and keeps the table that is printed at the end.

passed=0 failed=0 skipped=0
table="" remarks="" failures=""

# Presets that are being built in the background, and the group of the processes that do it.
ahead="" builder=""

# build_ahead PRESET...: builds them one after the other while the tests of those that are ready run, as most tests wait most of the time. At
# the lowest priority, so that these see little of it.
build_ahead() {
  ahead="$*"
  mkdir -p build/logs
  rm -f build/logs/*.built
  { set -m; } 2>/dev/null # a group of its own, so that it can be ended whole; dash has none without a terminal, and says so
  (
    # shellcheck disable=SC2030,SC2031  # for this group of processes only
    gently="nice -n 19"
    for preset in "$@"; do
      result=0
      build_now "$preset" >"build/logs/$preset.build" 2>&1 || result=$?
      echo "$result" >"build/logs/$preset.result"
      mv "build/logs/$preset.result" "build/logs/$preset.built" # whole when it is seen
    done
  ) </dev/null &
  builder=$!
  set +m
  trap '{ kill -- "-$builder" || kill "$builder"; } 2>/dev/null || true' EXIT
  trap 'exit 130' INT TERM
}

# await_build PRESET: one of those that are built ahead.
await_build() {
  say "$1: waiting until it is built (build/logs/$1.build)"
  until [ -f "build/logs/$1.built" ]; do
    kill -0 "$builder" 2>/dev/null || [ -f "build/logs/$1.built" ] || return 1
    sleep 1
  done
  if [ "$(cat "build/logs/$1.built")" = 0 ]; then
    tail -n 1 "build/logs/$1.build"
  else
    cat "build/logs/$1.build"
    return 1
  fi
}

# build PRESET [BUILD OPTION...]
build() {
  case " $ahead " in
    *" $1 "*) await_build "$1" ;;
    *) build_now "$@" ;;
  esac
}

build_now() {
  preset=$1
  shift
  say "$preset: configure and build"
  set -- --preset "$preset" --parallel "$(cores)" "$@"
  options=""
  case $preset in
    mingw | macos-check-*)
      if get_libuv_source; then options="-DFETCHCONTENT_SOURCE_DIR_LIBUV=$PWD/build/sources/libuv"; fi
      ;;
  esac
  mkdir -p build/logs
  # shellcheck disable=SC2086,SC2031  # one option or none, a command or nothing
  if ! ${gently-} cmake --preset "$preset" $options >"build/logs/$preset.configure" 2>&1; then
    cat "build/logs/$preset.configure"
    return 1
  fi
  # shellcheck disable=SC2086,SC2031  # a command or nothing
  ${gently-} cmake --build "$@"
}

# row NAME CASES PASSED FAILED SKIPPED SECONDS
row() {
  table="$table$(printf '%-26s %6s %7s %7s %8s %8s' "$@")
"
  passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
}

# test_preset PRESET [CTEST OPTION...]: builds it, runs its tests, adds a row.
test_preset() {
  began=$(date +%s)
  if build "$1"; then
    count_tests "$1" "$@"
  else
    row "$1: build failed" 1 0 1 0 $(($(date +%s) - began))
  fi
}

# test_again NAME PRESET [CTEST OPTION...]: other tests of a preset that is built already, as a row of their own.
test_again() {
  began=$(date +%s)
  count_tests "$@"
}

# count_tests NAME PRESET [CTEST OPTION...]
count_tests() {
  name=$1 preset=$2
  shift 2
  results=$PWD/build/logs/$preset.xml
  rm -f "$results"
  say "$name: test"
  result=0
  [ "$preset" != mingw ] || hold_wine
  ctest --preset "$preset" --progress --output-junit "$results" --test-output-size-passed 20000 "$@" || result=$?
  [ "$preset" != mingw ] || release_wine
  if [ ! -f "$results" ]; then
    row "$name: no tests were run" 1 0 1 0 $(($(date +%s) - began))
    return
  fi
  cases=$(attribute tests) bad=$(attribute failures) left_out=$(($(attribute skipped) + $(attribute disabled)))
  # ctest can fail without a failed case: when it found none.
  if [ "$result" != 0 ] && [ "$bad" = 0 ]; then cases=$((cases + 1)) bad=1; fi
  row "$name" "$cases" $((cases - bad - left_out)) "$bad" "$left_out" $(($(date +%s) - began))
  [ "$bad" = 0 ] || failures="$failures$(python3 tools/dev/failures.py "$results" "$name")
"
  # Why cases were skipped; and of the kill tests and the soak, how many points were tried.
  reasons=$(
    sed -n 's/.*\(skipped: .*\)/\1/p' "$results" | sort | uniq -c
    sed -n 's/.*>//; /^total .* kill points/p; /^kill points: /p' "$results" | tr -s ' '
  )
  [ -z "$reasons" ] || remarks="$remarks$name:
$reasons
"
}

# Wine's server ends with its last program, and a program that starts in that moment fails, about one in a hundred. So one program
# waits for its input as long as the tests run.
hold_wine() {
  cmake/wine-run "$PWD/build/mingw/wine" cmd /c rem </dev/null >/dev/null 2>&1 # makes the prefix, if it is new
  rm -f build/wine-held
  mkfifo build/wine-held
  cmake/wine-run "$PWD/build/mingw/wine" cmd /c "set /p line=" <build/wine-held >/dev/null 2>&1 &
  exec 8>build/wine-held
}

release_wine() {
  exec 8>&-
  wait
  rm -f build/wine-held
}

# The number of that name at the head of ctest's results.
attribute() { sed -n "s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" "$results" | head -n 1; }

# check NAME COMMAND...: one row for a command that succeeds or fails.
check() {
  name=$1
  shift
  began=$(date +%s)
  if "$@"; then
    row "$name" 1 1 0 0 $(($(date +%s) - began))
  else
    row "$name" 1 0 1 0 $(($(date +%s) - began))
  fi
}

not_run() { remarks="${remarks}not run: $1 ($2)
"; }

finish() {
  say "result"
  printf '%-26s %6s %7s %7s %8s %8s\n%s\n' preset cases passed failed skipped seconds "$table"
  printf '%s' "$remarks$failures"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] || exit 1
}
