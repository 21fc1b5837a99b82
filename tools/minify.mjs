// Scripts as they are shipped: comments and long names stay in the repository, the types carry the documentation.
import { transform } from 'esbuild';

/** Only the comments that tell bundlers to leave an import alone have to come back. */
export async function minify(code) {
  const { code: small } = await transform(code, {
    format: 'esm',
    minify: true,
    target: 'es2022',
    legalComments: 'none',
  });
  const given = code.split('@vite-ignore').length;
  const kept = small.replaceAll(
    /import\((?=new URL|"sharp")/g,
    'import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ ',
  );
  if (kept.split('@vite-ignore').length !== given)
    throw new Error('an import that bundlers are to leave alone was not found again');
  return kept;
}
