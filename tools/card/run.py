"""Measures the engine on this machine's graphics card and writes one JSON and one table; needs no network.

In order of value, each stage within a time of its own, and everything written as it comes: the adapter and what it
does at most; the reference files; this library against ONNX Runtime Web on one Dawn; the steps of whole networks;
Winograd's method against the direct one; tiles of the convolution over the networks' shapes.
"""

import argparse
import glob
import json
import lzma
import os
import queue
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIANTS = "008 032 080 002 004 006 016 040 064 120 160 320".split()
ICD_FOLDERS = [
    "/usr/local/nvidia/share/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
]
LIBRARY_FOLDERS = [
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
]


def arguments():
    parser = argparse.ArgumentParser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=350, help="time for everything (default: 350)")
    parser.add_argument("--out", type=Path, help="folder of the results (default: out beside this script)")
    parser.add_argument("--allow-software", action="store_true", help="go on without a card, to rehearse")
    parser.add_argument("--quick", action="store_true", help="the smallest network and pictures, to rehearse")
    parser.add_argument("--stages", help="only these, with commas between them")
    parser.add_argument("--dawn-driver", help="another Vulkan driver's JSON for Dawn, to rehearse")
    parser.add_argument("--keep", action="store_true", help="keep the unpacked files")
    return parser.parse_args()


class Run:
    def __init__(self, options):
        self.begin = time.monotonic()
        self.options = options
        self.out = (options.out or HERE / "out").resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="card-"))
        self.records = self.folder / "records.jsonl"
        self.log_file = (self.out / "log.txt").open("w")
        self.result = {"stages": {}, "machine": {}, "records": [], "peers": [], "reference": []}
        self.environment = dict(os.environ)
        self.unpacked = {}

    # --- Time and results ---

    def left(self):
        return self.options.seconds - (time.monotonic() - self.begin)

    def log(self, text, show=True):
        line = f"[{time.monotonic() - self.begin:6.1f}] {text}"
        self.log_file.write(line + "\n")
        self.log_file.flush()
        if show:
            print(line, flush=True)

    def save(self):
        if self.records.exists():
            lines = self.records.read_text().splitlines()
            self.result["records"] = [json.loads(line) for line in lines if line.endswith("}")]
        part = self.out / "result.json.part"
        part.write_text(json.dumps(self.result))
        part.replace(self.out / "result.json")
        (self.out / "table.txt").write_text(table(self.result))

    def stage(self, name, seconds, work):
        """Runs `work(seconds)` where there is time; what fails ends the stage alone."""
        chosen = self.options.stages
        if chosen and name not in chosen.split(","):
            return
        seconds = min(seconds, self.left() - 3)
        if seconds < 4:
            self.log(f"== {name}: no time left")
            self.result["stages"][name] = {"status": "no time left"}
            return
        self.log(f"== {name}, at most {seconds:.0f} s")
        begin = time.monotonic()
        status = "done"
        try:
            status = work(seconds) or status
        except Exception as error:  # the other stages still say something
            status = f"{type(error).__name__}: {error}"
        self.result["stages"][name] = {"status": status, "seconds": round(time.monotonic() - begin, 1)}
        self.log(f"== {name}: {status} after {time.monotonic() - begin:.1f} s")
        self.save()

    def call(self, command, seconds, environment=None, show=True):
        """Runs a program, its output to the log as it comes; True if it ended well in time."""
        self.log(f"$ {' '.join(map(str, command))}", show=False)
        try:
            process = subprocess.Popen(
                list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                env=environment or self.environment, cwd=self.folder,
            )
        except OSError as error:
            self.log(f"  could not be started: {error}")
            return False, ""
        lines = []

        def read():
            for line in process.stdout:
                lines.append(line)
                self.log("  " + line.rstrip()[:400], show=show and not line.startswith("  "))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            code = process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            code = "stopped: its time was up"
            self.log(f"  {Path(command[0]).name} was stopped after {seconds:.0f} s")
        reader.join(2)
        if code not in (0, "stopped: its time was up"):
            self.log(f"  {Path(command[0]).name} ended with {code}")
        return code == 0, "".join(lines)

    # --- What is packed ---

    def unpack(self, name):
        """NAME.tar.xz, which may lie in parts, in the background."""
        parts = sorted(glob.glob(str(HERE / f"{name}.tar.xz*")))
        if not parts:
            raise SystemExit(f"card: {name}.tar.xz is missing beside {__file__}")

        class Joined:
            def __init__(self):
                self.parts = [open(part, "rb") for part in parts]

            def read(self, size=-1):
                while self.parts:
                    data = self.parts[0].read(size)
                    if data:
                        return data
                    self.parts.pop(0).close()
                return b""

        def work():
            with tarfile.open(fileobj=lzma.LZMAFile(BufferedJoin(Joined())), mode="r|") as archive:
                archive.extractall(self.folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(self.folder)
            self.log(f"{name} is unpacked", show=False)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.unpacked[name] = thread

    def native(self, name):
        self.unpacked["native"].join()
        return self.folder / "native" / name

    # --- The driver ---

    def shell(self, command):
        try:
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=15, env=self.environment)
            return (done.stdout + done.stderr).strip()
        except subprocess.TimeoutExpired:
            return "no answer in 15 s"

    def describe_machine(self):
        icds = " ".join(f"{folder}/*.json" for folder in ICD_FOLDERS)
        libraries = " ".join(f"{folder}/lib*nvidia*so.0 {folder}/libvulkan*" for folder in LIBRARY_FOLDERS)
        commands = {
            "system": "uname -a; . /etc/os-release; echo $PRETTY_NAME; ldd --version | head -1; nproc; id -un",
            "card": "nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,power.limit --format=csv 2>&1",
            "loader": "ldconfig -p | grep -E 'libvulkan|libGLX_nvidia|libEGL_nvidia|libnvidia-glcore|libX11.so|libGLdispatch' ",
            "drivers": f"for f in {icds}; do [ -e $f ] && echo \"$f: $(tr -d '\\n' <$f)\"; done",
            "libraries": f"ls -la {libraries} 2>/dev/null",
            "devices": "ls -la /dev/nvidia* /dev/dri 2>&1",
            "variables": "env | grep -E '^(VK_|LD_LIBRARY|NVIDIA|XDG_|DISPLAY|__)' | sort",
        }
        for name, command in commands.items():
            self.result["machine"][name] = self.shell(command)
            self.log(f"{name}: {self.result['machine'][name]}", show=name in ("card", "drivers", "loader"))

    def environments(self):
        """Where a driver may be found, the likeliest first: a name and the variables that are set for it."""
        loader = self.folder / "native" / "loader"
        carried = ":".join(filter(None, [str(loader), os.environ.get("LD_LIBRARY_PATH")]))
        bases = [("as it is", {})]
        if "libvulkan.so.1" not in self.result["machine"].get("loader", ""):
            bases.insert(0, ("carried loader", {"LD_LIBRARY_PATH": carried}))
        else:
            bases.append(("carried loader", {"LD_LIBRARY_PATH": carried}))
        yield from bases
        files = [file for folder in ICD_FOLDERS for file in sorted(glob.glob(f"{folder}/*nvidia*.json"))]
        egl = "/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json"
        for name in ["libGLX_nvidia.so.0", "libEGL_nvidia.so.0"]:
            for folder in LIBRARY_FOLDERS:
                if os.path.exists(f"{folder}/{name}"):
                    written = self.folder / f"{name}.json"
                    icd = {"library_path": f"{folder}/{name}", "api_version": "1.3.0"}
                    written.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))
                    files.append(str(written))
                    break
        for file in files:
            for name, base in bases:
                variables = base | {"VK_DRIVER_FILES": file, "VK_ICD_FILENAMES": file}
                if os.path.exists(egl):
                    variables["__EGL_VENDOR_LIBRARY_FILENAMES"] = egl
                yield f"{name}, {file}", variables
        # What a driver may need and a container lacks.
        more = f"{loader}:{self.folder / 'native' / 'more'}"
        nvidia = ":".join(folder for folder in LIBRARY_FOLDERS[:2] if os.path.isdir(folder))
        for file in files:
            yield f"carried libraries, {file}", {
                "LD_LIBRARY_PATH": f"{more}:{nvidia}:{os.environ.get('LD_LIBRARY_PATH', '')}", "VK_DRIVER_FILES": file, "VK_ICD_FILENAMES": file,
            }

    def find_adapter(self, seconds):
        self.describe_machine()
        end = time.monotonic() + seconds
        fallback = None
        for name, variables in self.environments():
            if time.monotonic() > end:
                break
            environment = dict(os.environ) | variables
            records = self.folder / "adapters.jsonl"
            records.unlink(missing_ok=True)
            fine, _ = self.call([self.native("gpu_bench"), "--adapters", "--json", records], 20, environment, show=False)
            lines = records.read_text().splitlines() if records.exists() else []
            adapters = [json.loads(line) for line in lines]
            kinds = [f"{a['name']} ({a['type']})" for a in adapters if a["kind"] == "adapter"]
            self.log(f"{name}: {', '.join(kinds) or 'no adapter'}{'' if fine else ' (failed)'}")
            preferred = next((a["name"] for a in adapters if a["kind"] == "preferred"), "")
            found = (name, variables, adapters)
            if preferred.endswith("(hardware)"):
                return self.use(*found)
            if preferred and not fallback:
                fallback = found
        # Why there is none: what the loader says while it looks.
        debug = self.environment | {"VK_LOADER_DEBUG": "error,warn,driver"}
        self.call([self.native("gpu_bench"), "--adapters"], 20, debug, show=False)
        if fallback and self.options.allow_software:
            return self.use(*fallback)
        what = f"only {fallback[2][-1]['name']}" if fallback else "none"
        self.result["stages"]["adapter"] = {"status": f"no card: {what}"}
        self.save()
        raise SystemExit(f"card: a card with a Vulkan driver is needed, found {what}; log.txt says where was looked")

    def use(self, name, variables, adapters):
        self.environment |= variables
        self.result["machine"] |= {"driver": name, "variables_set": variables, "adapters": adapters}
        self.log(f"uses {adapters[-1]['name']} ({name})")

    # --- Stages ---

    def bench(self, seconds, *words):
        fine, _ = self.call([self.native("gpu_bench"), *words, "--json", self.records], seconds)
        self.save()
        return None if fine else "failed or was stopped: see the log"

    def reference(self, seconds):
        end = time.monotonic() + seconds
        files = sorted(self.native("reference").glob("*.json"))
        # The published networks first.
        files.sort(key=lambda file: (not file.name.startswith("g_ghost"), file.name))
        if self.options.quick:
            files = [file for file in files if "form_released_40" in file.name]
        failed = 0
        for kernels in ["hardware,f32", "hardware,f16", "hardware,winograd"]:
            left = end - time.monotonic()
            if left < 3:
                return "time was up"
            _, text = self.call([self.native("conformance"), "--engine", "gpu", "--kernels", kernels, *files], left, show=False)
            lines = [line for line in text.splitlines() if ".json: " in line]
            worst = 0.0
            for line in lines:
                name, _, said = line.partition(".json: ")
                number = re.search(r"worst (\S+) (\S+) of absmax", said)
                good = said.endswith(", ok")
                failed += not good
                worst = max(worst, float(number[2]) if number else float("inf"))
                entry = {"file": Path(name).name, "kernels": kernels, "ok": good, "said": said}
                self.result["reference"].append(entry | ({"tap": number[1], "error": float(number[2])} if number else {}))
                if not good:
                    self.log(f"  {kernels} {Path(name).name}: {said[:300]}")
            self.log(f"  {kernels}: {len(lines)} of {len(files)} files, worst error {worst:.1e}")
            failed += len(files) - len(lines)
        return f"{failed} not right" if failed else None

    def export(self):
        """The networks of the comparison, made on the CPU beside the other stages."""
        names = ["002"] if self.options.quick else ["032", "008"]
        side = "64" if self.options.quick else "224"

        def work():
            for name in names:
                self.call([self.native("gpu_bench"), "--export", self.folder / "nets", name, "--side", side], 120, show=False)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.unpacked["nets"] = thread
        return names, side

    def peers(self, seconds, names, side):
        end = time.monotonic() + seconds
        for name in ["library", "node", "nets"]:
            self.unpacked[name].join(max(end - time.monotonic(), 1))
        environment = self.environment | {"DAWN_FLAGS": "backend=vulkan enable-dawn-features=vulkan_enable_f16_on_nvidia"}
        if self.options.dawn_driver:
            environment |= {"VK_DRIVER_FILES": self.options.dawn_driver, "VK_ICD_FILENAMES": self.options.dawn_driver}
        batches = [1, 2] if self.options.quick else [1, 8, 64]
        rounds = 1 if self.options.quick else 3
        engines = [("ours", "f32", ""), ("onnxruntime", "f32", "NHWC")]
        if not self.options.quick:
            engines += [("onnxruntime", "f32", "NCHW"), ("ours", "f16", ""), ("onnxruntime", "f16", "NHWC"), ("onnxruntime", "f16", "NCHW")]
        status = None
        for index, name in enumerate(names):
            until = time.monotonic() + (end - time.monotonic()) / (len(names) - index)
            peers = [Peer(self, environment, engine, name, side) for engine in engines]
            # One that cannot load must leave the others their time.
            loaded = time.monotonic() + (0.7 if self.options.quick else 0.45) * (until - time.monotonic())
            for peer in peers:
                peer.wait(loaded)
            for _ in range(rounds):
                for batch in batches:
                    for peer in peers:
                        if peer.alive and time.monotonic() < until:
                            peer.measure(batch, until, self.options.quick)
                    self.save()
            for peer in peers:
                peer.end()
                status = status or (f"{peer.name}: {peer.failure[:200]}" if peer.failure else None)
        return status

    def all(self):
        quick = self.options.quick
        self.unpack("native")
        self.unpack("node")
        self.unpack("library")
        names, side = self.export()
        self.stage("adapter", 60, self.find_adapter)
        if not self.options.stages and "variables_set" not in self.result["machine"]:
            raise SystemExit(1)
        clocks = self.watch_clocks()
        small = ["--side", "64", "--batches", "1,2"] if quick else ["--batches", "1,8,64"]
        variants = ["002"] if quick else ["008", "032", "080", "002"]
        self.stage("peaks", 30, lambda seconds: self.bench(seconds, "--peaks"))
        self.stage("reference", 0.22 * self.options.seconds, self.reference)
        self.stage("peers", 0.34 * self.options.seconds, lambda seconds: self.peers(seconds, names, side))
        kernels = [word for words in ["hardware,f32", "hardware,f16"] for word in ("--kernels", words)]
        self.stage("steps", 0.25 * self.options.seconds, lambda seconds: self.bench(seconds, *variants, *small, *kernels))
        both = [word for words in ["hardware,direct", "hardware,winograd"] for word in ("--kernels", words)]
        few = variants[:1] if quick else ["008", "032"]
        if not quick:
            self.stage("winograd", 20, lambda seconds: self.bench(seconds, *few, "--batches", "1,64", *both))

        def sweep(seconds):
            # It ends by itself; a shape in work is finished.
            own = max(int(seconds - 5), 2)
            return self.bench(seconds, *(variants if quick else VARIANTS), *small, *kernels, "--sweep", own)

        self.stage("sweep", self.left() - 4, sweep)
        if clocks:
            clocks.terminate()
        self.save()

    def watch_clocks(self):
        if not shutil.which("nvidia-smi"):
            return None
        query = "timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu"
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader", "-lms", "1000"]
        return subprocess.Popen(command, stdout=(self.out / "clocks.csv").open("w"), stderr=subprocess.DEVNULL)

    def end(self):
        self.log_file.close()
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class BufferedJoin:
    """What lzma needs of a file."""

    def __init__(self, joined):
        self.joined = joined

    def read(self, size=-1):
        return self.joined.read(size)

    def seekable(self):
        return False


class Peer:
    """One engine in a process of its own, asked round by round."""

    def __init__(self, run, environment, engine, variant, side):
        self.run, self.variant = run, variant
        self.name = " ".join(filter(None, engine))
        self.failure = None
        self.lines = queue.Queue()
        folder = run.folder / "node"
        kind, precision, layout = engine
        self.entry = {"variant": variant, "engine": kind, "precision": precision, "layout": layout, "rounds": []}
        run.result["peers"].append(self.entry)
        command = [folder / "node", "peer.mjs", kind, run.folder / "nets", variant, side, precision, *filter(None, [layout])]
        try:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace", env=environment, cwd=folder,
            )
        except OSError as error:
            self.process, self.alive = None, False
            return self.fail(f"could not be started: {error}")
        self.alive = True
        self.errors = []
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def answer(self, until):
        while True:
            try:
                line = self.lines.get(timeout=max(until - time.monotonic(), 0.1))
            except queue.Empty:
                self.fail("no answer in time")
                return None
            if line is None:
                time.sleep(0.2)
                said = "".join(line for line in self.errors if line.strip())
                self.fail(f"ended with {self.process.wait()}: {said[:1500]}")
                return None
            if line.startswith("{"):
                return json.loads(line)
            self.run.log(f"  {self.name}: {line.rstrip()[:300]}", show=False)

    def wait(self, until):
        ready = self.answer(until) if self.alive else None
        if not ready:
            return
        self.entry |= {"load_ms": ready["milliseconds"], "adapter": ready["adapter"]}
        adapter = ready["adapter"]
        kind = f"{adapter['vendor']} {adapter['architecture']} {adapter['description']}"
        self.run.log(f"  {self.variant} {self.name}: loaded in {ready['milliseconds']:.0f} ms on {kind}")
        software = adapter["isFallbackAdapter"] or re.search("swiftshader|llvmpipe|lavapipe", kind, re.I)
        if software and not self.run.options.allow_software:
            self.fail(f"Dawn took an adapter in software: {kind}")

    def measure(self, batch, until, quick):
        asked = {"batch": batch, "runs": 2 if quick else 30, "seconds": 0.5 if quick else 0.8}
        try:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # the answer says how it ended
        got = self.answer(until)
        if got:
            self.entry["rounds"].append(got)
            self.run.log(f"  {self.variant} {self.name} batch {batch}: {got['median']:.3f} ms, error {got['error']}", show=False)

    def fail(self, why):
        self.alive = False
        why = " ".join(why.split())
        self.failure = why
        self.entry["failure"] = why
        self.run.log(f"  {self.variant} {self.name}: {why}")
        if self.process:
            self.process.kill()

    def end(self):
        if self.alive:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()


# --- The table ---


def middle(numbers):
    return sorted(numbers)[len(numbers) // 2]


def table(result):
    lines = []
    machine = result["machine"]
    if machine.get("card"):
        lines += ["Card: " + machine["card"].replace("\n", " | ")]
    for adapter in machine.get("adapters", []):
        lines.append("Adapter: " + ", ".join(f"{key} {value}" for key, value in adapter.items()))
    records = result["records"]
    of = lambda kind: [record for record in records if record["kind"] == kind]
    for peaks in of("peaks"):
        lines.append("At most: " + ", ".join(f"{k} {v:.3g}" for k, v in peaks.items() if isinstance(v, float)))
    reference = result["reference"]
    for kernels in dict.fromkeys(entry["kernels"] for entry in reference):
        mine = [entry for entry in reference if entry["kernels"] == kernels]
        worst = max((entry.get("error", float("inf")) for entry in mine), default=0)
        lines.append(f"Reference files, {kernels}: {sum(e['ok'] for e in mine)} of {len(mine)} right, worst error {worst:.1e}")
    if result["peers"]:
        lines += ["", "Whole pictures with upload and read-back, median ms of the rounds (this library / ONNX Runtime Web)"]
    for peer in result["peers"]:
        by_batch = {}
        for measured in peer["rounds"]:
            by_batch.setdefault(measured["batch"], []).append(measured)
        cells = [
            f"batch {batch}: {middle([m['median'] for m in all]):.3f} ms (error {all[-1]['error'] if isinstance(all[-1]['error'], str) else format(all[-1]['error'], '.1e')})"
            for batch, all in by_batch.items()
        ]
        what = " ".join(filter(None, [peer["variant"], peer["engine"], peer["precision"], peer["layout"]]))
        lines.append(f"  {what:36} load {peer.get('load_ms', 0):6.0f} ms  " + "  ".join(cells) + ("  FAILED: " + peer["failure"][:120] if peer.get("failure") else ""))
    networks = of("network")
    if networks:
        lines += ["", "Networks natively: ms whole, on the device in one pass, sum of steps; share of the f32 peak; dispatches, submissions"]
    for n in networks:
        if "device_ms" not in n:
            continue
        share = 100 * 2 * n["macs"] / n["device_ms"] / 1e6 / n["peak"] * n["images"] / n["batch"]
        lines.append(
            f"  {n['variant']} {n['kernels']:18} batch {n['batch']:2}: {n['wall_ms']:8.3f} {n['device_ms']:8.3f} {n['steps_ms']:8.3f}"
            f"  {share:5.1f}%  {n['dispatches']} dispatches, {n['submissions']} submissions"
        )
    shapes = of("shape")
    if shapes:
        lines += ["", "Sweep: shapes measured, and how much faster the best tile is than the engine's kernel"]
    for values in dict.fromkeys(shape["values"] for shape in shapes):
        for batch in sorted({shape["batch"] for shape in shapes}):
            mine = [s for s in shapes if (s["values"], s["batch"]) == (values, batch)]
            if not mine:
                continue
            engine = sum(s["milliseconds"][s["engine"]] for s in mine)
            best = sum(s["milliseconds"][s["best"]] for s in mine)
            wins = {}
            for s in mine:
                wins[s["best"]] = wins.get(s["best"], 0) + 1
            top = sorted(wins.items(), key=lambda win: -win[1])[:4]
            lines.append(f"  {values} batch {batch}: {len(mine)} shapes, {engine:.3f} ms as it is, {best:.3f} ms at best; " + "; ".join(f"{n} x {name}" for name, n in top))
    lines += ["", "Stages: " + "; ".join(f"{name}: {s['status']} ({s.get('seconds', 0)} s)" for name, s in result["stages"].items())]
    return "\n".join(lines) + "\n"


def main():
    run = Run(arguments())
    try:
        run.all()
        print(table(run.result))
    finally:
        run.save()
        run.end()


if __name__ == "__main__":
    main()
