/**
 * @file `g-ghostnet teach`: a folder with a folder of pictures for each class in, a model and a report out.
 */
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { load } from './node.js';
import { openPool, threadsFor } from './pool.js';

/**
 * @typedef {import('./teach.d.ts').Lesson} Lesson
 * @typedef {import('./teach.d.ts').CurvePoint} CurvePoint
 */

/**
 * @param {string} folder
 * @param {object} options
 * @param {string} options.output the model's file
 * @param {string} [options.model] whose features are used
 * @param {string} [options.strangers] a folder of pictures that are of no class
 * @param {number} [options.jobs]
 * @param {boolean} options.json
 * @param {(folder: string) => Promise<string[]>} options.picturesIn
 * @param {(file: string, message: string) => void} options.report of a picture that cannot be read
 * @param {(total: number) => { at: (done: number) => void, clear: () => void }} options.progressBar
 * @returns {Promise<number>} the exit code
 */
export async function teachFolder(folder, { output, model, strangers, jobs, json, picturesIn, report, progressBar }) {
  const entries = await readdir(folder, { withFileTypes: true });
  const isClass = (/** @type {import('node:fs').Dirent} */ entry) =>
    (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.') && entry.name !== '__MACOSX';
  /** @type {[string | null, string[]][]} */
  const classes = [];
  for (const { name } of entries.filter(isClass).sort((a, b) => a.name.localeCompare(b.name))) {
    const place = path.join(folder, name);
    if (strangers && path.resolve(place) === path.resolve(strangers)) continue;
    const pictures = await picturesIn(place).catch(() => []);
    if (pictures.length) classes.push([name, pictures]);
    else report(place, 'The folder has no pictures, and is no class.');
  }
  const labels = classes.map(([label]) => /** @type {string} */ (label));
  if (strangers) classes.push([null, await picturesIn(strangers)]);
  const total = classes.reduce((sum, [, files]) => sum + files.length, 0);

  const pool = await openPool(threadsFor(total, jobs), { model, topK: 1 });
  const net = await load({ model, backend: 'wasm' }).catch(async (error) => {
    await pool.close();
    throw error;
  });
  const bar = progressBar(total);
  let [before, failed] = [0, 0];
  try {
    /** @type {any} what entries of the library tell each other */
    const options = { classes: labels, platform: { embed: embedWith(pool), together: pool.ahead } };
    const teacher = await net.teach(options);
    for (const [label, files] of classes) {
      const onProgress = (/** @type {{ done: number }} */ { done }) => bar.at(before + done);
      const added = await teacher.add(label, files, { errors: 'return', onProgress });
      for (const one of added) {
        if (!('error' in one)) continue;
        bar.clear();
        report(files[one.index], one.error.message);
        failed += 1;
      }
      before += files.length;
    }
    bar.clear();
    const lesson = await teacher.fit();
    const curve = Math.max(...teacher.classes.map(({ examples }) => examples)) > 1 ? await teacher.curve() : [];
    const file = await teacher.save();
    await writeFile(output, new Uint8Array(await file.arrayBuffer()));
    console.log(
      json ? JSON.stringify({ ...summary(lesson), curve, file: output }, null, 2) : text(lesson, curve, output),
    );
    teacher.close();
  } finally {
    bar.clear();
    net.dispose();
    await pool.close();
  }
  if (failed) console.error(`${failed} of ${total} could not be read.`);
  return failed ? 1 : 0;
}

/** Features by all threads. @param {{ embed: (file: string) => Promise<Float32Array> }} pool */
function embedWith(pool) {
  const one = async (/** @type {string} */ file, /** @type {number} */ index) => {
    try {
      return await pool.embed(file);
    } catch (error) {
      return { error, index, name: file };
    }
  };
  return (/** @type {string[]} */ files) => Promise.all(files.map(one));
}

/** @param {Lesson} lesson */
const summary = ({ examples: _, hardest, ...lesson }) => ({
  ...lesson,
  hardest: hardest
    .slice(0, 20)
    .map(({ label, predicted, probability, name }) => ({ label, predicted, probability, name })),
});

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)}%`;

/** @param {import('./teach.d.ts').Counted} counted */
const counted = ({ right, of, share, interval }) =>
  of ? `${percent(share)} (${right} of ${of}; 95% interval ${interval.map(percent).join(' to ')})` : 'not measured';

const printable = (/** @type {string} */ label) => label.replace(/[\x00-\x1f\x7f]/g, '?');

/** @param {Lesson} lesson @param {CurvePoint[]} curve @param {string} output */
function text({ method, accuracy, classes, confusion, hardest, rejection, examples }, curve, output) {
  const width = Math.min(30, Math.max(8, ...classes.map(({ label }) => label.length)));
  const named = (/** @type {string} */ label) => printable(label).slice(0, width).padEnd(width);
  const taken = (/** @type {number[]} */ row, /** @type {number} */ own) =>
    row
      .map((count, k) => ({ count, label: classes[k].label, k }))
      .filter(({ count, k }) => count && k !== own)
      .sort((a, b) => b.count - a.count)
      .slice(0, 3)
      .map(({ count, label }) => `${printable(label)} ${count}`)
      .join(', ');
  const how = method === 'ridge' ? 'ridge regression' : 'class means';
  return [
    `Accuracy: ${counted(accuracy)}, each picture told without itself; ${how}.`,
    '',
    `${named('class')}  pictures  recall  precision  taken for`,
    ...classes.map(({ label, examples, recall, precision }, i) =>
      [
        named(label),
        String(examples).padStart(8),
        (recall.of ? percent(recall.share) : '-').padStart(6),
        (precision.of ? percent(precision.share) : '-').padStart(9),
        taken(confusion[i], i),
      ]
        .join('  ')
        .trimEnd(),
    ),
    '',
    ...(curve.length
      ? [
          'Pictures a class and accuracy:',
          ...curve.map(({ examples, accuracy }) => `${String(examples).padStart(6)}  ${percent(accuracy)}`),
          '',
        ]
      : []),
    rejection
      ? `Strangers: ${counted(rejection.passed)} pass where 95% of the taught pictures do; AUROC ${rejection.auroc.toFixed(3)}.`
      : 'Strangers: not measured; --strangers names a folder of pictures of none of the classes.',
    '',
    ...(accuracy.right < accuracy.of
      ? [
          'Hardest:',
          ...hardest
            .filter(({ label, predicted }) => label !== predicted)
            .slice(0, 10)
            .map(
              ({ name, label, predicted }) =>
                `  ${printable(name ?? '')}: ${printable(label ?? '')}, told ${printable(predicted)}`,
            ),
          '',
        ]
      : []),
    `${output}: ${classes.length} classes, ${examples.length} pictures judged.`,
  ].join('\n');
}
