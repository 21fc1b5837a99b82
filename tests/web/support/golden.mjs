// What PyTorch says of the bundled model's answers (tests/reference/page.py).
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { repository } from '../../../tools/serve.mjs';

/** @type {{ model: string, files: { file: string, width: number, height: number, top: { label: string, index: number, probability: number }[] }[] }} */
export const golden = JSON.parse(await readFile(path.join(repository, 'tests/golden/page.json'), 'utf8'));

/** The five most probable classes of the sample that most tests look at. */
export const cat = golden.files.find(({ file }) => file.endsWith('cat.jpg')).top;
