// Makes a folder that measures the engine on a machine with a graphics card and no network.
//   node tools/card.mjs --pack DIR [--rehearse]
// DIR/run needs Linux on x86-64 with python3 alone. It has Node, Dawn, ONNX Runtime Web, this library, the native
// benchmark and the reference files with it, in archives of at most 30 MB.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repository } from './serve.mjs';

/** Most that one file and all of them have. */
const PART = 30e6;
const TOTAL = 60e6;

/** What a machine without a display may lack between a program and its card's driver. */
const loader = ['libvulkan1', 'libegl1', 'libglvnd0', 'libopengl0', 'libgl1', 'libglx0', 'libgles2'];
const more = ['libx11-6', 'libxext6', 'libxcb1', 'libxau6', 'libxdmcp6', 'libbsd0', 'libmd0'];

const args = process.argv.slice(2);
const at = args.indexOf('--pack');
if (at < 0 || !args[at + 1]) {
  console.error('usage: ./build.sh card --pack DIR [--rehearse]');
  process.exit(2);
}
const target = path.resolve(args[at + 1]);
if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('the folder is made on Linux on x86-64');

const from = (...names) => path.join(repository, ...names);
const shell = (command, cwd) =>
  execFileSync('bash', ['-o', 'pipefail', '-ec', command], { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
const work = await mkdtemp(path.join(tmpdir(), 'card-pack-'));
await mkdir(target, { recursive: true });

/** An archive of a folder of `work`, in parts where it is too large for one. */
async function archive(name, folder, x86) {
  for (const old of await readdir(target)) if (old.startsWith(`${name}.tar.xz`)) await rm(path.join(target, old));
  const filters = x86 ? '--x86 --lzma2=preset=9,dict=64MiB' : '--lzma2=preset=9';
  shell(
    `tar --owner=0 --group=0 --sort=name -c ${folder} | xz ${filters} | split -b ${PART} -d - "${path.join(target, name)}.tar.xz."`,
    work,
  );
}

const copyTo = async (folder, files) => {
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    await copyFile(file, path.join(folder, path.basename(file)));
  }
};

async function packNative() {
  const native = path.join(work, 'native');
  await mkdir(native, { recursive: true });
  for (const name of ['gpu_bench', 'conformance']) {
    await copyFile(from('target/release/examples', name), path.join(native, name));
    execFileSync('strip', [path.join(native, name)]);
    await chmod(path.join(native, name), 0o755);
  }
  await cp(from('tests/golden/reference'), path.join(native, 'reference'), { recursive: true });
  await packLoader(native);
  await archive('native', 'native', true);
}

/** Debian's Vulkan and OpenGL loaders, and beside them the packages themselves: a driver may want them in the system. */
async function packLoader(native) {
  await mkdir(path.join(target, 'debs'), { recursive: true });
  for (const [folder, packages] of Object.entries({ loader, more })) {
    const debs = path.join(work, 'debs', folder);
    await mkdir(debs, { recursive: true });
    const got = spawnSync('apt-get', ['-q', 'download', ...packages], {
      cwd: debs,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    if (got.status !== 0) {
      console.warn(`card: apt-get could not download ${packages.join(' ')}: the machine must have its own loader`);
      continue;
    }
    await mkdir(path.join(native, folder), { recursive: true });
    for (const deb of await readdir(debs)) {
      shell(`dpkg-deb -x "${deb}" tree`, debs);
      if (folder === 'loader') await copyFile(path.join(debs, deb), path.join(target, 'debs', deb));
    }
    shell(`cp -a tree/usr/lib/x86_64-linux-gnu/*.so* "${path.join(native, folder)}"`, debs);
  }
}

/** Node, Dawn and ONNX Runtime Web: hardly ever new, and minutes to compress. */
async function packNode() {
  const node = path.join(work, 'node');
  const modules = from('benches/node_modules');
  const dawn = path.join(modules, 'webgpu');
  const ort = path.join(modules, 'onnxruntime-web');
  await mkdir(node, { recursive: true });
  await copyFile(process.execPath, path.join(node, 'node'));
  execFileSync('strip', [path.join(node, 'node')]);
  await copyTo(
    path.join(node, 'node_modules/webgpu'),
    ['index.js', 'package.json', 'LICENSE.md'].map((file) => path.join(dawn, file)),
  );
  await copyTo(path.join(node, 'node_modules/webgpu/dist/linux-x64'), [path.join(dawn, 'dist/linux-x64/dawn.node')]);
  execFileSync('strip', ['--strip-unneeded', path.join(node, 'node_modules/webgpu/dist/linux-x64/dawn.node')]);
  await copyTo(path.join(node, 'node_modules/onnxruntime-web'), [path.join(ort, 'package.json')]);
  const runtime = [
    'ort.webgpu.bundle.min.mjs',
    'ort-wasm-simd-threaded.asyncify.mjs',
    'ort-wasm-simd-threaded.asyncify.wasm',
  ];
  await copyTo(
    path.join(node, 'node_modules/onnxruntime-web/dist'),
    runtime.map((file) => path.join(ort, 'dist', file)),
  );
  const versions = ['webgpu', 'onnxruntime-web'].map((name) =>
    execFileSync('node', ['-p', `require(${JSON.stringify(path.join(modules, name, 'package.json'))}).version`], {
      encoding: 'utf8',
    }).trim(),
  );
  const stamp = path.join(target, `node-${process.version}-${versions.join('-')}.stamp`);
  if (existsSync(stamp)) return;
  await archive('node', 'node', true);
  await writeFile(stamp, '');
}

/** This library as it is in the tree, with the modules that a net on WebGPU needs, and the scripts that drive it. */
async function packLibrary() {
  await rm(path.join(work, 'node'), { recursive: true, force: true });
  const library = path.join(work, 'node/node_modules/g-ghostnet');
  await mkdir(library, { recursive: true });
  await cp(from('www/lib'), path.join(library, 'lib'), { recursive: true });
  await rename(path.join(library, 'lib/package.json'), path.join(library, 'package.json'));
  await copyTo(path.join(library, 'models'), [from('models/imagenet-1k.txt')]);
  for (const module of ['fixed', 'webgpu']) {
    await copyTo(
      path.join(library, 'wasm', module),
      ['g_ghostnet.js', 'g_ghostnet_bg.wasm'].map((file) => from('dist/wasm', module, file)),
    );
  }
  await copyTo(
    path.join(work, 'node'),
    ['shim.mjs', 'peer.mjs'].map((file) => from('tools/card', file)),
  );
  await archive('library', 'node', false);
}

await packNative();
await packNode();
await packLibrary();
for (const file of ['run', 'run.py']) await copyFile(from('tools/card', file), path.join(target, file));
await chmod(path.join(target, 'run'), 0o755);
await rm(work, { recursive: true });

let total = 0;
for (const name of (await readdir(target, { recursive: true })).sort()) {
  const { size } = await stat(path.join(target, name));
  if (!/\.(xz\.\d+|deb|py)$|^run$/.test(name)) continue;
  total += size;
  console.log(`${String(size).padStart(9)}  ${name}`);
  if (size > PART) throw new Error(`${name} is over ${PART} bytes`);
}
console.log(`${target}: ${total} of ${TOTAL} bytes`);
if (total > TOTAL) throw new Error('the folder is over its size');

if (args.includes('--rehearse')) {
  const dawn = execFileSync(
    'bash',
    [
      '-c',
      'ls /usr/lib/chromium/vk_swiftshader_icd.json /usr/lib/chromium*/vk_swiftshader_icd.json 2>/dev/null | head -n 1',
    ],
    { encoding: 'utf8' },
  ).trim();
  const driver = process.env.DAWN_DRIVER ?? dawn;
  const options = ['--allow-software', '--quick', '--seconds', '300', ...(driver ? ['--dawn-driver', driver] : [])];
  const { status } = spawnSync(path.join(target, 'run'), options, { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
