# Installs what the verbs of build.sh need and is missing. Sourced by build.sh, never run by itself.
# Versions: Rust by rust-toolchain.toml, wasm-bindgen by Cargo.lock, npm packages by package-lock.json;
# the browser is the system's own, because it must get its security updates.

tools=.tools # the project's own binaries, ignored by git
node_minimum=20
rust_minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least FOUND WANTED: compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# apt_install PURPOSE PACKAGE...: Debian and Ubuntu only; elsewhere a sentence that says what to install.
apt_install() {
  local purpose=$1 as_root=
  shift
  have apt-get || die "$purpose is missing and can only be installed automatically on Debian and Ubuntu: please install it and run this again."
  if [ "$(id -u)" != 0 ]; then
    have sudo || die "$purpose is missing: as root, run \`apt-get install $*\`, then run this again."
    as_root=sudo
  fi
  echo "Installing $purpose: $*"
  if [ -z "${apt_updated-}" ]; then
    $as_root apt-get update -qq
    apt_updated=1
  fi
  # --no-remove: a package of ours must never push out one of theirs.
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@" >/dev/null ||
    die "apt-get could not install $*: see its message above."
}

apt_version() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9:]*\)\([0-9.]*\).*/\1\2/p' | sed 's/^[0-9]*://'; }

# --- Rust ---
# Every WebAssembly flavour compiles its own standard library (-Zbuild-std): one set of flags on every machine,
# and the only way to threads. So the compiler must come with the library's source.

# rust_fits FOLDER: the compiler there is new enough and has the source of its standard library, clippy and rustfmt.
rust_fits() {
  local version sysroot
  [ -x "$1/cargo" ] && [ -x "$1/rustc" ] && [ -x "$1/cargo-clippy" ] && [ -x "$1/cargo-fmt" ] || return 1
  version=$("$1/rustc" --version 2>/dev/null) || return 1
  sysroot=$("$1/rustc" --print sysroot)
  at_least "$(echo "$version" | cut -d ' ' -f 2)" "$rust_minimum" && [ -e "$sysroot/lib/rustlib/src/rust/library/std" ]
}

rustup_adds_source() {
  have rustup || return 1
  echo "Adding the standard library's source to $(rustup show active-toolchain 2>/dev/null || echo 'the toolchain of rust-toolchain.toml')"
  { rustup show active-toolchain || rustup toolchain install; } >/dev/null 2>&1
  rustup component add rust-src clippy rustfmt >/dev/null 2>&1
}

# The compiler that Debian keeps new for its browsers; rust-web-llvm and lld bring rust-lld, the WebAssembly linker.
debian_rust() {
  have apt-get && at_least "$(apt_version rustc-web)" "$rust_minimum" || return 1
  local lld
  lld=lld-$(apt-cache depends rust-web-llvm | sed -n 's/.*Depends: llvm-\([0-9]*\)$/\1/p' | head -n 1)
  apt_install "a Rust compiler" rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy rustfmt-web "$lld"
}

need_rust() {
  [ -z "${rust-}" ] || return 0
  local path
  have cc || apt_install "a C linker" gcc libc6-dev
  path=$(dirname "$(command -v cargo || echo /usr/bin/cargo)")
  if rust_fits "$path"; then
    rust=$path
  elif rust_fits /usr/bin; then
    rust=/usr/bin
  elif rustup_adds_source && rust_fits "$path"; then
    rust=$path
  elif debian_rust && rust_fits /usr/bin; then
    rust=/usr/bin
  else
    die "no Rust compiler from $rust_minimum on with the component rust-src was found: install rustup from https://rustup.rs and run this again; if its toolchain cannot be downloaded, choose an installed one with RUSTUP_TOOLCHAIN."
  fi
  # Cargo looks up its compiler and its subcommands by PATH.
  export PATH="$rust:$PATH"
}

locked_version() { awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/version = |"/, ""); print }' Cargo.lock; }

# The glue generator must be of the crate's own version, to the last digit.
need_wasm_bindgen() {
  local version
  need_rust
  version=$(locked_version wasm-bindgen)
  wasm_bindgen=$PWD/$tools/wasm-bindgen-$version/bin
  [ ! -x "$wasm_bindgen/wasm-bindgen" ] || return 0
  echo "Building wasm-bindgen $version (a minute, once)"
  # Optimising it takes twice the time that it then saves.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 "$rust/cargo" install wasm-bindgen-cli --version "=$version" --no-default-features --quiet --root "$tools/wasm-bindgen-$version"
}

# need_cargo_tool NAME VERSION: a program of crates.io that a verb of its own needs; its path is $cargo_tool.
need_cargo_tool() {
  need_rust
  cargo_tool=$PWD/$tools/$1-$2/bin/$1
  [ ! -x "$cargo_tool" ] || return 0
  echo "Building $1 $2 (minutes, once)"
  "$rust/cargo" install "$1" --version "=$2" --locked --quiet --root "$tools/$1-$2"
}

# --- Node and browsers ---

need_node() {
  if ! have node && have apt-get; then
    at_least "$(apt_version nodejs)" "$node_minimum" && apt_install "Node" nodejs npm
  fi
  have node && have npm && at_least "$(node --version | tr -d v)" "$node_minimum" ||
    die "Node $node_minimum or newer with npm is needed, found $(node --version 2>/dev/null || echo none): install it from https://nodejs.org."
}

need_packages() {
  need_node
  [ ! node_modules/.package-lock.json -nt package-lock.json ] || return 0
  echo "Installing the npm packages of package-lock.json"
  npm ci --silent --no-audit --no-fund
  touch node_modules/.package-lock.json
}

need_chromium() {
  need_packages
  node tools/browser.mjs path >/dev/null 2>&1 || apt_install "Chromium" chromium
  node tools/browser.mjs path >/dev/null || die "Chromium or Chrome is needed: see the message above."
}

# Gecko; FIREFOX names another program.
need_firefox() {
  have "${FIREFOX:-firefox-esr}" || apt_install "Firefox" firefox-esr
}

# Safari's engine, with its driver and a display. Without a generated locale its language is no valid tag.
need_webkit() {
  have WebKitWebDriver && have Xvfb || apt_install "WebKit" webkit2gtk-driver xvfb
  [ ! -d $tools/locale/en_US.UTF-8 ] || return 0
  [ -e /usr/share/i18n/locales/en_US ] || apt_install "definitions of languages" locales
  mkdir -p $tools/locale
  localedef -i en_US -f UTF-8 $tools/locale/en_US.UTF-8
}

# A driver of the browser's own version.
need_chromedriver() {
  need_chromium
  [ -n "${CHROMEDRIVER-}" ] || have chromedriver || apt_install "Chromium's driver" chromium-driver
  export CHROMEDRIVER=${CHROMEDRIVER:-$(command -v chromedriver || true)}
  [ -x "$CHROMEDRIVER" ] || die "chromedriver of the browser's version is needed: install it, or set CHROMEDRIVER to its path."
}

# Native tests of the GPU engine need a Vulkan driver; Mesa's lavapipe is one without a GPU.
need_vulkan() {
  [ "$(uname)" = Linux ] || return 0
  compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null ||
    apt_install "a Vulkan driver" mesa-vulkan-drivers libvulkan1
}

# --- Python, for train/ alone ---

# Sets `python`: the one given, or that of an environment with what train/requirements.txt asks for.
need_pytorch() {
  python=${PYTHON-$tools/train/bin/python}
  [ -z "${PYTHON-}" ] || return 0
  [ -x "$python" ] || python3 -m venv $tools/train 2>/dev/null || {
    rm -rf $tools/train
    apt_install "Python's venv" python3-venv
    python3 -m venv $tools/train
  }
  "$python" -m pip install --quiet --requirement train/requirements.txt
}
