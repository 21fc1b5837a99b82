// What of others is compiled into the shipped binaries: their notices and a bill of materials (CycloneDX).
//   node tools/third-party.mjs FOLDER   writes THIRD-PARTY-NOTICES.md and sbom.cdx.json
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { repository } from './serve.mjs';

const rust = (program, ...args) =>
  execFileSync(program, args, { cwd: repository, encoding: 'utf8', maxBuffer: 1 << 28 });

/** Crates whose code is in a WebAssembly module: procedural macros and build scripts run on the builder's machine only. */
function shippedCrates() {
  const target = ['--locked', '--all-features'];
  const { packages } = JSON.parse(rust('cargo', 'metadata', '--format-version', '1', ...target));
  // The tree knows which features a target has; the metadata has those of all targets together.
  const tree = rust(
    'cargo',
    'tree',
    '--target',
    'wasm32-unknown-unknown',
    '--edges',
    'normal,no-proc-macro',
    '--prefix',
    'none',
    '--format',
    '{p}',
    ...target,
  );
  const shipped = new Set(tree.split('\n').map((line) => line.split(' ').slice(0, 2).join(' ')));
  const crates = packages
    .filter(({ name, version }) => shipped.has(`${name} v${version}`))
    .sort((a, b) => a.name.localeCompare(b.name));
  const isOwn = ({ source }) => source === null;
  return { own: crates.find(isOwn), others: crates.filter((crate) => !isOwn(crate)) };
}

/** Of alternatives the first that is offered here; every text of licences that hold together. */
const preferred = ['MIT', 'APACHE', 'ZLIB'];

function licenceTexts(crate) {
  const folder = crate.folder ?? path.dirname(crate.manifest_path);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice|unlicense)/i.test(file));
  const alternatives = /\bOR\b|\//.test(crate.license ?? '') && !/\bAND\b/.test(crate.license);
  const chosen =
    alternatives && preferred.map((name) => files.find((file) => file.toUpperCase().includes(name))).find(Boolean);
  const kept = chosen ? [chosen, ...files.filter((file) => /^notice/i.test(file))] : files;
  return kept.map((file) => readFileSync(path.join(folder, file), 'utf8').replaceAll('\r', '').trim());
}

/** The standard library is compiled into every module, from the compiler's own source. */
function standardLibrary() {
  const version = rust('rustc', '--version').split(' ')[1];
  return {
    name: 'Rust standard library',
    version,
    license: 'MIT OR Apache-2.0',
    repository: 'https://github.com/rust-lang/rust',
  };
}

/** Packages of npm that are bundled into scripts, from node_modules. */
function npmPackages(names) {
  const lock = JSON.parse(readFileSync(path.join(repository, 'package-lock.json'), 'utf8')).packages;
  return names.sort().map((name) => {
    const folder = path.join(repository, 'node_modules', name);
    const { version, license, homepage } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const content = Buffer.from(lock[`node_modules/${name}`].integrity.replace('sha512-', ''), 'base64').toString(
      'hex',
    );
    return { name, version, license, folder, repository: homepage, content };
  });
}

function notices({ own, others }, std, packages) {
  const texts = new Map();
  for (const part of [...others, ...packages]) {
    if (!part.license) throw new Error(`${part.name} names no licence: it cannot be shipped`);
    for (const text of licenceTexts(part)) texts.set(text, [...(texts.get(text) ?? []), part]);
  }
  const line = ({ name, version, license, repository }) =>
    `- ${name} ${version}, ${license}${repository ? `: <${repository}>` : ''}`;
  return [
    '# Third-party notices',
    `The WebAssembly modules of ${own.name} ${own.version} contain these libraries, each under its own licence.`,
    [std, ...others].map(line).join('\n'),
    ...(packages.length > 0
      ? ['The scripts of the explorer contain these packages.', packages.map(line).join('\n')]
      : []),
    'The texts of these licences, as their authors ship them; where a library offers a choice, the one that was chosen.',
    ...[...texts].map(
      ([text, crates]) => `## ${crates.map(({ name }) => name).join(', ')}\n\n\`\`\`\`text\n${text}\n\`\`\`\``,
    ),
    '',
  ].join('\n\n');
}

/** SHA-256 of each crate's archive, by `name version`. */
function checksums() {
  const lock = readFileSync(path.join(repository, 'Cargo.lock'), 'utf8');
  const pattern = /name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"/g;
  return new Map([...lock.matchAll(pattern)].map(([, name, version, checksum]) => [`${name} ${version}`, checksum]));
}

/** A crate as CycloneDX has it; `content` is its checksum. */
function componentOfCrate({ name, version, license }, content) {
  if (!content) throw new Error(`Cargo.lock has no checksum of ${name} ${version}`);
  const purl = `pkg:cargo/${name}@${version}`;
  const licenses = [{ expression: license.replaceAll('/', ' OR ') }];
  return { type: 'library', 'bom-ref': purl, name, version, licenses, hashes: [{ alg: 'SHA-256', content }], purl };
}

function componentOfPackage({ name, version, license, content }) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const licenses = [{ expression: license }];
  return { type: 'library', 'bom-ref': purl, name, version, licenses, hashes: [{ alg: 'SHA-512', content }], purl };
}

function billOfMaterials({ own, others }, std, packages) {
  const known = checksums();
  const root = `pkg:npm/${own.name}@${own.version}`;
  const licensesOf = ({ license }) => [{ expression: license }];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'library',
        'bom-ref': root,
        name: own.name,
        version: own.version,
        purl: root,
        licenses: licensesOf(own),
      },
    },
    components: [
      { type: 'library', 'bom-ref': 'rust-std', name: std.name, version: std.version, licenses: licensesOf(std) },
      ...others.map((crate) => componentOfCrate(crate, known.get(`${crate.name} ${crate.version}`))),
      ...packages.map(componentOfPackage),
    ],
  };
}

/** Writes both files; `bundled` names the packages of npm that are in the scripts. */
export async function writeThirdParty(folder, bundled = []) {
  const crates = shippedCrates();
  const packages = npmPackages(bundled);
  const std = standardLibrary();
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'THIRD-PARTY-NOTICES.md'), notices(crates, std, packages));
  await writeFile(
    path.join(folder, 'sbom.cdx.json'),
    `${JSON.stringify(billOfMaterials(crates, std, packages), null, 1)}\n`,
  );
  return crates.others.length + packages.length + 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder] = process.argv.slice(2);
  if (!folder) throw new Error('usage: node tools/third-party.mjs FOLDER');
  console.log(`${await writeThirdParty(folder)} libraries are named in ${folder}.`);
}
