// node teach.js FOLDER: a folder with a folder of pictures for each class becomes model.safetensors.
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { load } from 'g-ghostnet/node';

const folder = process.argv[2];
const net = await load();
const teacher = await net.teach();

for (const { name: label } of (await readdir(folder, { withFileTypes: true })).filter((one) => one.isDirectory())) {
  const files = (await readdir(path.join(folder, label))).map((name) => path.join(folder, label, name));
  await teacher.addClass(label);
  const added = await teacher.add(label, files, { errors: 'return' });
  console.log(`${label}: ${added.filter(({ error }) => !error).length} of ${files.length} pictures`);
}

const { accuracy, hardest } = await teacher.fit();
const [from, to] = accuracy.interval.map((share) => (100 * share).toFixed(0));
console.log(`${accuracy.right} of ${accuracy.of} are told right, each without itself: ${from} to ${to}%`);
for (const { name, label, predicted } of hardest.filter(({ label, predicted }) => label !== predicted).slice(0, 5))
  console.log(`${name} is ${label}, told ${predicted}`);

const file = await teacher.save();
await writeFile('model.safetensors', file.stream());
net.dispose();
