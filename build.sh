#!/usr/bin/env bash
# Builds, tests and serves g-ghostnet; installs what is missing first (tools/setup.sh). `./build.sh help` lists the verbs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

# The WebAssembly modules. Four flavours of the CPU engine, because a browser refuses a module with an instruction
# that it does not know, and shared memory exists in isolated pages only; each again with integer kernels, for models
# of eight bits; and five that are fetched when they are needed: the WebGPU engine, the reader of checkpoints,
# the comparison of feature maps, the editor of models, and the teacher of classes.
flavours="relaxed fixed relaxed-threads fixed-threads"
integer_flavours="relaxed-int8 fixed-int8 relaxed-int8-threads fixed-int8-threads"
modules="$flavours $integer_flavours webgpu reader similarity edit teach"
# What answers in a current browser, and compares the maps.
first_modules="relaxed-threads similarity"
# The Cargo feature that a module is built with.
part_of() {
  case $1 in
    relaxed | fixed | relaxed-threads | fixed-threads) echo cpu ;;
    *-int8 | *-int8-threads) echo int8 ;;
    *-profile | *-profile-threads) echo int8,profile ;;
    webgpu) echo gpu ;;
    reader) echo read ;;
    similarity | edit | teach) echo "$1" ;;
    *) die "there is no module $1: expected one of $modules" ;;
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
  test [PART...]                everything that must pass; parts: check native wasm page (default: all of these), and
                                engines: the page and the library in WebKit and Firefox
  test-training                 tests of train/; not part of "test", because they need PyTorch
  check                         formatting, lints and types only
  format                        format every source as "check" wants it
  wasm                          build every flavour of the engine into dist/wasm/ and hold the size budget
  classify [--model FILE] [--backend wasm|webgpu] [--top N] [--json] PHOTO|FOLDER...
                                print the top-5 of each picture
  accuracy [--model FILE] [--backend wasm|webgpu] [--json] FOLDER
                                measure top-1 and top-5 on a folder of pictures sorted by class
  teach FOLDER -o MODEL [--model FILE] [--strangers FOLDER] [--json]
                                make a model of a folder with a folder of pictures for each class, and a report
  bench [MODELS] [--only NAME]  run the benchmarks and write docs/benchmarks.md; MODELS is made by benches/export.py
  pack [--smoke] [--hosts]      make the npm package; --smoke also tries it in fresh projects, --hosts in those of a dozen
                                bundlers and frameworks, which takes half an hour
  docs                          make the reference of the JavaScript API alone: dist/docs/
  site                          assemble page, documents and reference as a folder for any static host: dist/site/
  card --pack DIR [--rehearse]  make a folder that measures the engine on a machine with a graphics card and no network:
                                DIR/run (docs/performance.md); --rehearse runs it here, on adapters in software
  fuzz [SECONDS [TARGET...]]    run the fuzzers, each for so many seconds (default: 60)
  mutants [FILE...]             change the code in one place after the other and see that a test fails, two at a time
                                (default: src/arch/*.rs src/plan.rs src/checkpoint/*.rs src/fold.rs src/similarity/*.rs, hours)
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
# beside that is a tenth of the download and no measurable time. Instructions stay in the order they are written,
# because the compiler's own order keeps more values alive than there are registers.
small="-C llvm-args=-inline-threshold=20 -C llvm-args=-pre-RA-sched=source -C no-vectorize-loops -C no-vectorize-slp -Z location-detail=none"

# Threads are workers that share one memory, of at most 2 GiB, and have thread-local storage of their own.
shared_memory="-C target-feature=+atomics"
for argument in shared-memory import-memory max-memory=2147483648 export=__wasm_init_tls export=__tls_size export=__tls_align export=__tls_base; do
  shared_memory+=" -C link-arg=--$argument"
done

# wasm_cargo MODULE SUBCOMMAND ARGUMENT...
# RUSTC_BOOTSTRAP lets a release compiler build its own standard library.
# A panic of a module is a trap at once, because nobody would see its message; those of tests are read.
# -Ztrim-paths keeps this machine's paths out of the binary.
# Each folder has a standard library: with threads and without, for modules and for tests. Relaxed SIMD is for this
# crate alone, so that it needs none of its own.
wasm_cargo() {
  local module=$1 subcommand=$2 program=$rust/cargo folder=single flags="-C target-feature=+simd128 -C linker=rust-lld $small" own=()
  shift 2
  [ "$subcommand" != clippy ] || program=$rust/cargo-clippy
  case $module in *-threads) folder=threads flags+=" $shared_memory" ;; esac
  case $module in
    relaxed*) own+=(-Zprofile-rustflags --config 'profile.release.package.g-ghostnet.rustflags=["-Ctarget-feature=+relaxed-simd"]') ;;
  esac
  # It runs once a model, and not for those of the project's own layout.
  [ "$module" != reader ] || own+=(--config 'profile.release.opt-level="z"')
  if [ "$subcommand" = build ]; then
    flags+=" -Z unstable-options -C panic=immediate-abort"
    own+=(-Zbuild-std=std)
  else
    folder+=-tests
    own+=(-Zbuild-std=std,panic_abort -Zpanic-abort-tests)
  fi
  CARGO="$rust/cargo" RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags "$program" "$subcommand" \
    --locked --release --target $target --target-dir "target/$folder" "${own[@]}" \
    -Zbuild-std-features=optimize_for_size -Ztrim-paths --config 'profile.release.trim-paths="all"' "$@"
}

# build_module MODULE: dist/wasm/MODULE/{g_ghostnet.js,g_ghostnet_bg.wasm}
# Modules of one target folder overwrite each other there, so each is kept beside it.
build_module() {
  local module=$1 out=dist/wasm/$1 kept=target/$1.wasm stamp=target/$1.stamp built=target/single features=
  case $module in *-threads) built=target/threads features+=" --enable-threads" ;; esac
  case $module in relaxed*) features+=" --enable-relaxed-simd" ;; esac
  built+=/$target/release/g_ghostnet.wasm
  # Cargo has one place for them all and compiles each anew, so it is asked only where something changed.
  if [ ! -e "$kept" ] || ! "$rust/rustc" -vV | cmp -s - "$stamp" ||
    [ -n "$(find src shaders Cargo.toml Cargo.lock build.sh -newer "$stamp" -print -quit)" ]; then
    "$rust/rustc" -vV >"$stamp.new" # what changes from here on is newer
    wasm_cargo "$module" build --lib --no-default-features --features "$(part_of "$module")"
    cmp -s "$built" "$kept" || cp "$built" "$kept"
    mv "$stamp.new" "$stamp"
  fi
  if [ "$out/g_ghostnet_bg.wasm" -nt "$kept" ] && [ "$out/g_ghostnet_bg.wasm" -nt build.sh ] &&
    [ "$out/g_ghostnet_bg.wasm" -nt package-lock.json ]; then
    return 0
  fi
  rm -rf "$out.new"
  "$wasm_bindgen/wasm-bindgen" "$kept" --target web --out-dir "$out.new" --out-name g_ghostnet \
    --remove-name-section --remove-producers-section --experimental-reset-state-function
  node_modules/.bin/wasm-opt "$out.new/g_ghostnet_bg.wasm" -o "$out.new/g_ghostnet_bg.wasm" -Oz --converge --strip-debug \
    --one-caller-inline-max-function-size=20 --enable-simd $features --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-mutable-globals --enable-reference-types --enable-multivalue
  rm -rf "$out"
  mv "$out.new" "$out"
}

# A peer of the benchmarks that comes as source: dist/tract/{tract_peer.js,tract_peer_bg.wasm}
build_tract() {
  need_wasm_bindgen
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C target-feature=+simd128 -C linker=rust-lld" "$rust/cargo" build --locked --release --quiet \
    --manifest-path benches/tract/Cargo.toml --target $target --target-dir target/tract -Zbuild-std=std,panic_abort
  "$wasm_bindgen/wasm-bindgen" target/tract/$target/release/tract_peer.wasm --target web --out-dir dist/tract
}

build_modules() {
  local module
  for module in "$@"; do
    step "WebAssembly, $module" build_module "$module"
  done
}

# build_wasm [MODULE...]: these modules, or all. The last steps of a module's compilation use one core, so one with
# threads is compiled beside one without: each kind has a folder of Cargo's. Two runs at once would take each other's
# files away.
build_wasm() {
  local module threaded=() single=() beside
  [ $# != 0 ] || set -- $modules
  need_packages
  need_wasm_bindgen
  mkdir -p target
  exec 9>target/wasm.lock
  ! have flock || flock 9
  # What was a module once is shipped no more.
  for module in dist/wasm/*/; do
    case " $modules " in *" $(basename "$module") "*) ;; *) rm -rf "$module" ;; esac
  done
  for module in "$@"; do
    case $module in *-threads) threaded+=("$module") ;; *) single+=("$module") ;; esac
  done
  build_modules "${threaded[@]}" >target/threaded.log 2>&1 &
  beside=$!
  build_modules "${single[@]}"
  step "WebAssembly, with threads" modules_beside $beside
  exec 9>&-
}

modules_beside() {
  local status=0
  wait "$1" || status=$?
  cat target/threaded.log
  return $status
}

build_page() {
  build_wasm
  step "The page as it is shipped" node tools/site.mjs
  step "The documents beside it" node tools/docs-site.mjs
}

# serve_site ARGUMENT...: builds what a visitor meets first, serves it, and builds the rest meanwhile; a module that is
# asked for before it is there is waited for.
serve_site() {
  local server building=target/building
  build_wasm $first_modules
  step "The page until all is built" node tools/site.mjs --unfinished
  : >$building
  node tools/serve.mjs --building $building "$@" &
  server=$!
  trap "report_failure; rm -f $building; kill $server 2>/dev/null" EXIT
  sleep 1 # its address comes first
  kill -0 $server 2>/dev/null || wait $server
  build_site
  rm -f $building
  echo "All of the page is built."
  wait $server
}

# What is deployed: the page, the documents, and the reference of the API.
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
  need_packages
  step "Formatting, scripts" prettier --check --log-level warn
  step "Lints, scripts" node_modules/.bin/eslint .
  step "Types of the page's scripts" node_modules/.bin/tsc -p www/tsconfig.json
  step "Types of the library, against those declared" node tools/types.mjs
}

# prettier OPTION...: on every script, type and style sheet
prettier() {
  node_modules/.bin/prettier "$@" '**/*.{js,mjs,cjs,jsx,ts,tsx,css}' '!dist/**' '!target/**'
}

native_tests() {
  if have cargo-nextest; then
    "$rust/cargo" nextest run --locked
    "$rust/cargo" test --locked --doc # nextest runs no documentation tests
  else
    "$rust/cargo" test --locked
  fi
}

# wasm_tests FLAVOUR [CARGO-OPTION...]: the Rust tests for the browser, in Chromium with WebGPU in software; without
# the GPU engine in Node.
wasm_tests() {
  mkdir -p $tools
  node tools/browser.mjs webdriver >$tools/webdriver.json
  WASM_BINDGEN_TEST_WEBDRIVER_JSON=$PWD/$tools/webdriver.json WASM_BINDGEN_TEST_TIMEOUT=600 \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$wasm_bindgen/wasm-bindgen-test-runner \
    wasm_cargo "$1" test --test web "${@:2}"
}

# One file at a time: each starts a browser of its own.
page_tests() { node --test --test-concurrency=1 tests/web/*.test.mjs; }

# engine_tests ENGINE: those of the page and the library, in another engine than Chromium's.
engine_tests() {
  local files=(tests/web/{engines,fixed,library,library-pictures,similarity}.test.mjs)
  ENGINE=$1 node --test --test-concurrency=1 "${files[@]}"
}

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
        # On one thread; tests/web/threads.test.mjs holds more of them against these to the bit. The GPU engine is the
        # same with each flavour of the other.
        step "Tests in the browser, relaxed" wasm_tests relaxed
        for flavour in relaxed-threads fixed-threads; do
          step "Tests in the browser, $flavour" wasm_tests "$flavour" --no-default-features --features cpu,int8,read
        done
        step "Tests in Node, fixed" wasm_tests fixed --no-default-features --features cpu,int8,read
        ;;
      page)
        need_chromium
        need_firefox
        build_site
        hold_size_budget
        step "Page tests" page_tests
        ;;
      # Not among the default parts before all of them pass; docs/browsers.md says what does not.
      engines)
        need_chromium
        need_firefox
        need_webkit
        build_page
        step "Page tests, WebKit" engine_tests WebKit
        step "Page tests, Firefox" engine_tests Firefox
        ;;
      *) die "there is no part $part of the tests: expected check, native, wasm, page or engines" ;;
    esac
  done
  printf '\nAll %d steps of "test %s" passed in %d min %d s.\n' $steps "$*" $((SECONDS / 60)) $((SECONDS % 60))
}

verb=${1-help}
[ $# = 0 ] || shift
case $verb in
  demo) serve_site "$@" ;;
  test) test_all "$@" ;;
  test-training)
    need_pytorch
    exec "$python" train/test.py
    ;;
  check) test_all check ;;
  format)
    need_rust
    need_packages
    "$rust/cargo-fmt" fmt --all
    prettier --write --log-level warn
    ;;
  wasm)
    build_page
    hold_size_budget
    ;;
  classify | accuracy)
    { need_chromium; build_page; } >&2 # standard output is the answer's alone
    [ "$verb" = classify ] || set -- --accuracy "$@"
    exec node tools/classify.mjs "$@"
    ;;
  teach)
    build_page >&2
    exec node dist/site/lib/cli.js teach "$@"
    ;;
  bench)
    { need_chromium; build_wasm; build_modules relaxed-profile relaxed-profile-threads; step "tract, a peer" build_tract; node tools/pack.mjs; } >&2
    [ -d benches/node_modules ] || npm ci --silent --no-audit --no-fund --prefix benches
    exec node tools/benchmarks.mjs "$@"
    ;;
  pack)
    need_chromium # for --smoke and --hosts, as Firefox is for the former
    need_firefox
    build_wasm
    exec node tools/pack.mjs "$@"
    ;;
  card)
    need_chromium # its SwiftShader, for --rehearse
    need_vulkan
    need_wasm_bindgen
    for module in fixed webgpu; do
      step "WebAssembly, $module" build_module "$module"
    done
    step "The native benchmark" "$rust/cargo" build --locked --release --example gpu_bench --example conformance
    [ -d benches/node_modules/webgpu ] || npm ci --silent --no-audit --no-fund --ignore-scripts --prefix benches
    exec node tools/card.mjs "$@"
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
  mutants)
    need_cargo_tool cargo-mutants 27.1.0
    [ $# != 0 ] || set -- src/arch/*.rs src/plan.rs src/checkpoint/*.rs src/fold.rs src/similarity/*.rs
    exec "$cargo_tool" mutants --no-shuffle --jobs 2 --output target/mutants "${@/#/--file=}"
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
