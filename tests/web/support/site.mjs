// The page as it is shipped but for its default model: most tests know by heart what PyTorch says of Imagenette's
// (tests/golden/page.json). What is about the default itself is in default.test.mjs, on the site as it is.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { pageMounts, repository, serve } from '../../../tools/serve.mjs';
import { defaultModel as shipped } from '../../../www/lib/default-model.js';

/** The default of these tests. */
export const defaultModel = 'g_ghost_regnetx_006-imagenette.safetensors';

/** Scripts that name the default, as the tests serve them: files by address. */
export function renamed() {
  const folder = path.join(repository, 'target/test-site');
  mkdirSync(folder, { recursive: true });
  const read = (file) => readFileSync(path.join(pageMounts['/'], file), 'utf8');
  const write = (file, text) => {
    writeFileSync(path.join(folder, path.basename(file)), text);
    return [`/${file}`, path.join(folder, path.basename(file))];
  };
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const base = read('lib/base.js');
  const changed = base.replaceAll(shipped, defaultModel);
  // The service worker takes no file that is not as it expects.
  const service = read('service.js').replace(hash(base), hash(changed));
  return Object.fromEntries([write('lib/base.js', changed), write('service.js', service)]);
}

export const mounts = {
  ...pageMounts,
  '/blank/': path.join(repository, 'tests/web/blank'),
  // Parts of the library that have no file of their own as it is shipped.
  '/source/': path.join(repository, 'www/lib'),
  ...renamed(),
};

/** @param {Parameters<typeof serve>[1]} [options] */
export const serveSite = (options = {}) => serve(null, { mounts, ...options });
