#!/usr/bin/env bash
# Builds, tests and serves g-ghostnet; installs what is missing first (tools/setup.sh). `./build.sh help` lists the verbs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

# The WebAssembly modules. Two flavours of the CPU engine, because a browser refuses a module with an instruction
# that it does not know; and three that are fetched when they are needed: the WebGPU engine, the reader of PyTorch
# checkpoints, and the study of feature maps.
flavours="relaxed fixed"
modules="$flavours webgpu pth study"
features_of() {
  case $1 in
    relaxed) echo "+simd128,+relaxed-simd" ;;
    fixed | webgpu | pth | study) echo "+simd128" ;;
    *) die "there is no module $1: expected one of $modules" ;;
  esac
}
# The Cargo feature that a module is built with.
part_of() {
  case $1 in
    relaxed | fixed) echo cpu ;;
    webgpu) echo gpu ;;
    *) echo "$1" ;;
  esac
}

# What a visitor downloads besides the model, in bytes after gzip: one flavour and the page's scripts. The GPU engine
# comes on top where there is a GPU.
size_budget=150000

target=wasm32-unknown-unknown

help() {
  cat <<'TEXT'
usage: ./build.sh VERB

  demo [--port N] [--no-coi]    build, then serve the page on this machine and print its address
  test [PART...]                everything that must pass; parts: check native wasm page (default: all)
  test-training                 tests of train/; not part of "test", because they need PyTorch
  check                         formatting and lints only
  wasm                          build every flavour of the engine into dist/wasm/ and hold the size budget
  classify [--model FILE] [--backend wasm|webgpu] [--top N] [--json] PHOTO|FOLDER...
                                print the top-5 of each picture
  accuracy [--model FILE] [--backend wasm|webgpu] [--json] FOLDER
                                measure top-1 and top-5 on a folder of pictures sorted by class
  bench [MODELS] [--only NAME]  run the benchmarks and write docs/benchmarks.md; MODELS is made by benches/export.py
  pack [--smoke]                make the npm package; --smoke also tries it in fresh projects
  docs                          make the reference of the JavaScript API alone: dist/docs/
  site                          assemble page, documents and reference as a folder for any static host: dist/site/
  fuzz [SECONDS [TARGET...]]    run the fuzzers, each for so many seconds (default: 60)
  audit [--strict]              licences, bans, sources and advisories of everything the project is built from
  soak [N]                      classify N times on both engines with lost devices (default: 10000)
  help                          this text

Missing tools are installed on Debian and Ubuntu (as root or with sudo).
CHROMIUM, CHROMEDRIVER, RUSTUP_TOOLCHAIN and PYTHON (with train/requirements.txt) choose other ones.
TEXT
}

# --- Steps: each announces itself and its duration, and the first that fails ends the run ---

steps=0
step_name=

step() {
  local begin=$SECONDS
  step_name=$1
  shift
  printf '\n== %s\n' "$step_name"
  "$@"
  steps=$((steps + 1))
  printf '== %s: done in %d s\n' "$step_name" $((SECONDS - begin))
  step_name=
}

report_failure() {
  local status=$?
  if [ "$status" != 0 ] && [ -n "$step_name" ]; then
    printf '\nFAILED in "%s" after %d s.\n' "$step_name" "$SECONDS" >&2
  fi
}
trap report_failure EXIT

# --- Compiling ---

# Kernels are vectorised by hand and inlined by attribute; what the compiler would unroll, vectorise and inline
# beside that is a tenth of the download and no measurable time. The study's loops are left to the compiler.
small="-C llvm-args=-inline-threshold=20 -C no-vectorize-loops -C no-vectorize-slp -Z location-detail=none"

# wasm_cargo FLAVOUR SUBCOMMAND ARGUMENT...
# RUSTC_BOOTSTRAP lets a release compiler build its own standard library.
# -Zpanic-abort-tests gives tests the panic strategy of the release, so that one such library serves both.
# -Ztrim-paths keeps this machine's paths out of the binary.
# Each flavour has a target folder of its own, because all would write the same g_ghostnet.wasm.
wasm_cargo() {
  local flavour=$1 subcommand=$2 program=$rust/cargo flags=$small
  shift 2
  [ "$flavour" != study ] || flags="-Z location-detail=none"
  [ "$subcommand" != clippy ] || program=$rust/cargo-clippy
  CARGO="$rust/cargo" RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C target-feature=$(features_of "$flavour") -C linker=rust-lld $flags" \
    "$program" "$subcommand" --locked --release --target $target --target-dir "target/$flavour" \
    -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size -Zpanic-abort-tests -Ztrim-paths --config 'profile.release.trim-paths="all"' "$@"
}

# build_flavour FLAVOUR: dist/wasm/FLAVOUR/{g_ghostnet.js,g_ghostnet_bg.wasm}
build_flavour() {
  local flavour=$1 out=dist/wasm/$1 module=target/$1/$target/release/g_ghostnet.wasm relaxed=
  wasm_cargo "$flavour" build --lib --no-default-features --features "$(part_of "$flavour")"
  if [ "$out/g_ghostnet_bg.wasm" -nt "$module" ] && [ "$out/g_ghostnet_bg.wasm" -nt build.sh ] &&
    [ "$out/g_ghostnet_bg.wasm" -nt package-lock.json ]; then
    return 0
  fi
  rm -rf "$out.new"
  "$wasm_bindgen/wasm-bindgen" "$module" --target web --out-dir "$out.new" --out-name g_ghostnet \
    --remove-name-section --remove-producers-section --experimental-reset-state-function
  [ "$flavour" != relaxed ] || relaxed=--enable-relaxed-simd
  node_modules/.bin/wasm-opt "$out.new/g_ghostnet_bg.wasm" -o "$out.new/g_ghostnet_bg.wasm" -Oz --converge --strip-debug \
    --enable-simd $relaxed --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-mutable-globals --enable-reference-types --enable-multivalue
  rm -rf "$out"
  mv "$out.new" "$out"
}

build_wasm() {
  local flavour
  need_packages
  need_wasm_bindgen
  for flavour in $modules; do
    step "WebAssembly, $flavour" build_flavour "$flavour"
  done
}

build_page() {
  build_wasm
  step "The page as it is shipped" node tools/site.mjs
  step "The documents beside it" node tools/docs-site.mjs
}

# What is deployed: the page, the documents, and the reference of the API, which takes the longest and no test needs.
build_site() {
  build_page
  step "The reference of the API" node tools/document.mjs dist/site/api
}

hold_size_budget() { step "Sizes in bytes" node tools/sizes.mjs $size_budget $modules; }

# --- Testing ---

check_all() {
  need_rust
  step "Formatting" "$rust/cargo-fmt" fmt --all --check
  step "Lints, native" "$rust/cargo-clippy" clippy --locked --all-targets -- -D warnings
  step "Lints, WebAssembly" wasm_cargo relaxed clippy --lib --test web -- -D warnings
}

native_tests() {
  if have cargo-nextest; then
    "$rust/cargo" nextest run --locked
    "$rust/cargo" test --locked --doc # nextest runs no documentation tests
  else
    "$rust/cargo" test --locked
  fi
}

# wasm_tests FLAVOUR: the Rust tests for the browser, in Chromium with WebGPU in software.
wasm_tests() {
  mkdir -p $tools
  node tools/browser.mjs webdriver >$tools/webdriver.json
  WASM_BINDGEN_TEST_WEBDRIVER_JSON=$PWD/$tools/webdriver.json WASM_BINDGEN_TEST_TIMEOUT=600 \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$wasm_bindgen/wasm-bindgen-test-runner \
    wasm_cargo "$1" test --test web
}

# One file at a time: each starts a browser of its own.
page_tests() { node --test --test-concurrency=1 tests/web/*.test.mjs; }

test_all() {
  local part flavour
  [ $# != 0 ] || set -- check native wasm page
  for part in "$@"; do
    case $part in
      check) check_all ;;
      native)
        need_rust
        need_vulkan
        step "Native tests" native_tests
        ;;
      wasm)
        need_chromedriver
        need_wasm_bindgen
        for flavour in $flavours; do
          step "Tests in the browser, $flavour" wasm_tests "$flavour"
        done
        ;;
      page)
        need_chromium
        build_page
        hold_size_budget
        step "Page tests" page_tests
        ;;
      *) die "there is no part $part of the tests: expected check, native, wasm or page" ;;
    esac
  done
  printf '\nAll %d steps of "test %s" passed in %d min %d s.\n' $steps "$*" $((SECONDS / 60)) $((SECONDS % 60))
}

verb=${1-help}
[ $# = 0 ] || shift
case $verb in
  demo)
    build_site
    exec node tools/serve.mjs "$@"
    ;;
  test) test_all "$@" ;;
  test-training)
    need_pytorch
    exec "$python" train/test.py
    ;;
  check) test_all check ;;
  wasm)
    build_page
    hold_size_budget
    ;;
  classify | accuracy)
    { need_chromium; build_page; } >&2 # standard output is the answer's alone
    [ "$verb" = classify ] || set -- --accuracy "$@"
    exec node tools/classify.mjs "$@"
    ;;
  bench)
    { need_chromium; build_wasm; need_rust; node tools/pack.mjs; } >&2
    [ -d benches/node_modules ] || npm ci --silent --no-audit --no-fund --prefix benches
    exec node tools/benchmarks.mjs "$@"
    ;;
  pack)
    need_chromium # for --smoke
    build_wasm
    exec node tools/pack.mjs "$@"
    ;;
  docs)
    need_packages
    exec node tools/document.mjs dist/docs
    ;;
  site) build_site ;;
  fuzz)
    need_node
    need_cargo_tool cargo-fuzz 0.13.2
    CARGO_FUZZ=$cargo_tool exec node tools/fuzz.mjs "$@"
    ;;
  audit)
    need_node
    need_cargo_tool cargo-deny 0.20.2
    CARGO_DENY=$cargo_tool exec node tools/audit.mjs "$@"
    ;;
  soak)
    { need_chromium; build_page; } >&2
    exec node tools/soak.mjs "$@"
    ;;
  help | -h | --help) help ;;
  *)
    help >&2
    die "there is no verb $verb"
    ;;
esac
