/**
 * @file Every script of the library at once, for entries that can import nothing later.
 */
import * as container from './container.js';
import * as draw from './draw.js';
import * as edit from './edit.js';
import * as engine from './engine.js';
import * as gpu from './gpu.js';
import * as kind from './kind.js';
import { lazy } from './lazy.js';
import * as pth from './pth.js';
import * as selfTest from './self-test.js';
import * as shards from './shards.js';
import * as similarity from './similarity.js';
import * as similarityEngine from './similarity-engine.js';
import * as study from './study.js';
import * as svg from './svg.js';

const modules = {
  container,
  draw,
  edit,
  engine,
  gpu,
  kind,
  pth,
  selfTest,
  shards,
  similarity,
  similarityEngine,
  study,
  svg,
};
for (const [name, module] of Object.entries(modules)) lazy[name] = async () => module;
