// The pictures in the README, from the page as it is shipped: docs/screenshots/.
//   node tools/screenshots.mjs   after ./build.sh site
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { launch } from './browser.mjs';
import { repository, servePage } from './serve.mjs';

const LARGEST = 300_000; // bytes
const folder = path.join(repository, 'docs/screenshots');

/** Name, what the address asks for, the browser's window, and what is done before the picture is taken. */
const pictures = [
  { name: 'twins', hash: 'sort=similarity&class=114', window: { viewport: { width: 1440, height: 900 } } },
  {
    name: 'similarity-dark',
    hash: 'stage=layer3&tab=similarity&side=320',
    window: { viewport: { width: 1440, height: 1060 }, colorScheme: 'dark' },
  },
  {
    name: 'ghost-path',
    hash: 'tab=ghost',
    window: { viewport: { width: 1440, height: 900 } },
    act: (page) => page.click('input[value="ghost"]').then(() => page.locator('#outcome').waitFor()),
  },
  {
    name: 'phone',
    hash: '',
    window: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
    act: (page) => page.locator('gg-twins h3').first().scrollIntoViewIfNeeded(),
  },
];

await mkdir(folder, { recursive: true });
const server = await servePage();
const browser = await launch();
try {
  for (const { name, hash, window, act } of pictures) {
    const context = await browser.newContext({ locale: 'en-US', reducedMotion: 'reduce', ...window });
    const page = await context.newPage();
    await page.goto(`${server.url}#${hash}`);
    await page.locator('#stage-note', { hasText: 'By chance' }).waitFor();
    await act?.(page);
    await page.waitForTimeout(500);
    const file = path.join(folder, `${name}.webp`);
    await sharp(await page.screenshot())
      .webp({ quality: 74, effort: 6 })
      .toFile(file);
    const { size } = await stat(file);
    console.log(`${path.relative(repository, file)}: ${size} bytes`);
    if (size > LARGEST) throw new Error(`${name} is larger than ${LARGEST} bytes`);
    await context.close();
  }
} finally {
  await browser.close();
  await server.close();
}
