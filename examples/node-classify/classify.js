// node classify.js photo.jpg...: the most probable class of each picture, and which of them look most alike.
import { load } from 'g-ghostnet/node';

const net = await load();
const files = process.argv.slice(2);
const answers = await net.classify(files, { topK: 1 });
answers.forEach(({ top: [{ label, probability }] }, i) =>
  console.log(`${files[i]}\t${label}\t${probability.toFixed(4)}`),
);
const embeddings = await net.embed(files);

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const pairs = files.flatMap((a, i) =>
  files.slice(i + 1).map((b, j) => ({ a, b, likeness: cosine(embeddings[i], embeddings[i + 1 + j]) })),
);
const [closest] = pairs.sort((a, b) => b.likeness - a.likeness);
if (closest) console.log(`${closest.a} and ${closest.b} are most alike: ${closest.likeness.toFixed(3)}`);
net.dispose();
