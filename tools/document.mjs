// Makes the reference of the JavaScript API from its types.
//   node tools/document.mjs FOLDER
import path from 'node:path';
import { Application, OptionDefaults } from 'typedoc';
import { repository } from './serve.mjs';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node tools/document.mjs FOLDER');

const lib = path.join(repository, 'www/lib');
const application = await Application.bootstrapWithPlugins({
  name: 'g-ghostnet',
  readme: path.join(lib, 'README.md'),
  entryPoints: ['index', 'draw', 'element', 'explorer', 'node', 'react'].map((name) => path.join(lib, `${name}.d.ts`)),
  tsconfig: path.join(repository, 'tools/document.tsconfig.json'),
  disableSources: true,
  disableGit: true,
  githubPages: false,
  hideGenerator: true,
  treatWarningsAsErrors: true,
  // Of the manual's examples; a language that is not among them is a warning.
  highlightLanguages: [...OptionDefaults.highlightLanguages, 'python'],
  intentionallyNotExported: [
    // Lists of events by name, for the compiler: the elements' own words say which they fire.
    '__global.GGhostNetEventMap',
    '__global.GGhostNetExplorerEventMap',
    'Listen',
    // Classes of the browser's, which are described where they come from.
    'Blob',
    'HTMLCanvasElement',
    'HTMLImageElement',
    'HTMLPictureElement',
    'HTMLVideoElement',
    'ImageBitmap',
    'ImageData',
    'OffscreenCanvas',
    'Response',
    'SVGImageElement',
    'SVGSVGElement',
    'URL',
    'VideoFrame',
  ],
  // Types of React, which the reference need not resolve.
  skipErrorChecking: true,
});
const project = await application.convert();
if (!project) process.exit(1);
application.validate(project);
await application.generateDocs(project, folder);
if (application.logger.hasErrors() || application.logger.hasWarnings()) process.exit(1);
