/**
 * @file Every script of the library at once, for entries that can import nothing later.
 */
import * as draw from './draw.js';
import * as engine from './engine.js';
import * as gpu from './gpu.js';
import { lazy, lazyCalls } from './lazy.js';
import * as more from './more.js';
import * as similarity from './similarity.js';
import * as similarityEngine from './similarity-engine.js';
import * as study from './study.js';
import * as svg from './svg.js';

const calls = { draw, engine, similarity, similarityEngine, study, svg };
for (const [name, module] of Object.entries(calls)) lazyCalls[name] = async () => module;
lazy.gpu = async () => gpu;
lazy.more = async () => more;
