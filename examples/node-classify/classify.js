// node classify.js photo.jpg...: the most probable class of each picture, and which of them look most alike.
import { load, readImage } from 'g-ghostnet/node';

const net = await load();
const embeddings = [];
for (const file of process.argv.slice(2)) {
  const picture = await readImage(file);
  const { top } = await net.classify(picture, { topK: 1 });
  console.log(`${file}\t${top[0].label}\t${top[0].probability.toFixed(4)}`);
  embeddings.push({ file, embedding: await net.embed(picture) });
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const pairs = embeddings.flatMap((a, i) => embeddings.slice(i + 1).map((b) => ({ a: a.file, b: b.file, likeness: cosine(a.embedding, b.embedding) })));
const [closest] = pairs.sort((a, b) => b.likeness - a.likeness);
if (closest) console.log(`${closest.a} and ${closest.b} are most alike: ${closest.likeness.toFixed(3)}`);
net.dispose();
