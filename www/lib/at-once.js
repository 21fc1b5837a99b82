/**
 * @file Every script of the library at once, for entries that can import nothing later.
 */
import * as analysis from './analysis.js';
import * as bitmap from './bitmap.js';
import * as draw from './draw.js';
import * as engine from './engine.js';
import * as gpu from './gpu.js';
import { lazy, lazyCalls } from './lazy.js';
import * as more from './more.js';
import * as similarity from './similarity.js';
import * as similarityEngine from './similarity-engine.js';
import * as svg from './svg.js';
import * as teach from './teacher.js';
import * as teachEngine from './teach-engine.js';

Object.assign(lazyCalls, {
  analysis: async () => analysis,
  bitmap: async () => bitmap,
  draw: async () => draw,
  engine: async () => engine,
  similarity: async () => similarity,
  similarityEngine: async () => similarityEngine,
  svg: async () => svg,
  teach: async () => teach,
  teachEngine: async () => teachEngine,
});
lazy.gpu = async () => gpu;
lazy.more = async () => more;
