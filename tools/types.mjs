// Checks the library's scripts, and that each exports what the types beside it declare.
//   node tools/types.mjs
//
// A compiler that finds index.js and index.d.ts reads the types alone, so nothing checks the script. Here the scripts of
// the library import each other instead of each other's declarations. A file of proofs, which exists in memory only,
// then compares every script with its declarations: an export that is missing, that is not declared, or that has
// another type is an error.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';
import { repository } from './serve.mjs';

const library = path.join(repository, 'www/lib');
const proofs = path.join(library, 'proofs.ts');

/** Names that `export type *` declares as types alone. */
const typesAlone = { inline: 'openSimilarity' };

const proofOf = (name, script) => `{
  const made = await import('${script}');
  type Declared = typeof import('./${name}.d.ts');
  const declared: Omit<Declared, ${JSON.stringify(typesAlone[name] ?? '')}> = made;
  const undeclared: Record<Exclude<keyof typeof made, keyof Declared>, never> = {};
  void [declared, undeclared];
}`;

/** The file of proofs. The elements of the explorer are packed as a script of the library. */
function allProofs(scripts) {
  const declared = scripts.filter((file) => existsSync(path.join(library, file.replace(/js$/, 'd.ts'))));
  const blocks = declared.map((file) => proofOf(path.parse(file).name, `./${file}`));
  return ['export {};', ...blocks, proofOf('explorer', '../explorer/elements.js')].join('\n');
}

/** A compiler to which the library's scripts are what other scripts of it import. */
function hostOf(options, text) {
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.fileExists = (file) => file === proofs || fileExists(file);
  host.readFile = (file) => (file === proofs ? text : readFile(file));
  host.getSourceFile = (file, version) => {
    const source = host.readFile(file);
    return source === undefined ? undefined : ts.createSourceFile(file, source, version, true);
  };
  host.resolveModuleNameLiterals = (literals, from, redirected, options) =>
    literals.map(({ text: name }) => {
      const file = path.resolve(path.dirname(from), name);
      const isWithin = [from, file].every((one) => path.dirname(one) === library);
      if (!isWithin || from.endsWith('.d.ts') || !existsSync(file))
        return ts.resolveModuleName(name, from, options, host, undefined, redirected);
      const extension = file.endsWith('.d.ts') ? ts.Extension.Dts : ts.Extension.Js;
      return { resolvedModule: { resolvedFileName: file, extension } };
    });
  return host;
}

const tell = (errors) =>
  process.stderr.write(
    ts.formatDiagnostics(errors, {
      getCurrentDirectory: () => repository,
      getCanonicalFileName: (file) => file,
      getNewLine: () => '\n',
    }),
  );

const configFile = path.join(repository, 'www/tsconfig.json');
const { config } = ts.readConfigFile(configFile, ts.sys.readFile);
const { options: pageOptions } = ts.parseJsonConfigFileContent(config, ts.sys, path.dirname(configFile));
const options = { ...pageOptions, types: ['node'], allowImportingTsExtensions: true };
const scripts = readdirSync(library).filter((file) => file.endsWith('.js'));
const rootNames = [
  path.join(repository, 'www/modules.d.ts'),
  ...scripts.map((file) => path.join(library, file)),
  proofs,
];
const program = ts.createProgram({ rootNames, options, host: hostOf(options, allProofs(scripts)) });
const errors = ts.getPreEmitDiagnostics(program);
if (errors.length > 0) {
  tell(errors);
  process.exitCode = 1;
}
