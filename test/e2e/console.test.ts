import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decode } from 'fast-png';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterSchema } from '../../schemas/api.ts';
import { readReport } from '../../schemas/report.ts';
import { noiseVolume } from '../support/small-model.ts';
import { seriousFaults } from './support/axe.ts';
import { addImages, type Browser, hasBrowser, signIn, startBrowser } from './support/browser.ts';
import { patchManifest } from './support/damage.ts';
import { labelMap, pushReady, type SmallSystem, startSmallSystem } from './support/small-system.ts';

/** The console in a real browser, before the built Worker and a real runner. */
describe.skipIf(!hasBrowser)('console', () => {
  let system: SmallSystem;
  let browser: Browser;

  beforeAll(async () => {
    [system, browser] = await Promise.all([startSmallSystem(), startBrowser()]);
    // The same weights with colours of their own, of which no image of grey has any.
    const { bytes } = await system.model.adapter({ labels: LABELS, description: 'The same in red and green' });
    await pushReady(system, system.key, 'painted', bytes);
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), system?.close()]);
  });

  test('tells who shows a wrong key, and shows nothing', async () => {
    const { page } = await browser.open(system.edge.url);
    await page.getByLabel('API key').fill('not-a-key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('unauthorized');
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('segments a dropped volume by two adapters and lays each result over the image', async () => {
    const { page, faults } = await browser.open(system.edge.url);
    await signIn(page, system.key);
    await addImages(page, [{ name: 'jane-doe.nii.gz', bytes: await noiseVolume([48, 56, 40]) }]);
    await page.getByRole('checkbox', { name: 'hospital/good' }).check();
    await page.getByRole('checkbox', { name: 'hospital/painted' }).check();
    await page.getByRole('button', { name: 'Axial' }).click();
    expect(await colouredPixels(page, 0)).toBe(0);
    await page.getByRole('button', { name: 'Segment and compare' }).click();
    await page.getByRole('table', { name: 'Labels of hospital/good' }).waitFor();
    await page.getByRole('table', { name: 'Labels of hospital/painted' }).waitFor();
    await page.locator('.stage[data-panes="2"][aria-busy="false"]').waitFor();

    const labels = (name: string) => page.getByRole('table', { name }).locator('tbody tr').allInnerTexts();
    const rows = await labels('Labels of hospital/painted');
    expect(rows.map((row) => row.trim().split(/\s/)[0])).toEqual(['left', 'right']);
    expect(await labels('Labels of hospital/good')).toEqual(rows);
    expect(await colouredPixels(page, 0)).toBeGreaterThan(1000);
    expect(await colouredPixels(page, 1)).toBeGreaterThan(1000);

    await page.getByRole('slider', { name: 'Opacity' }).fill('0');
    expect(await colouredPixels(page, 1)).toBe(0);
    await page.getByRole('slider', { name: 'Opacity' }).fill('0.6');
    const article = page.getByRole('article', { name: 'Result of hospital/painted' });
    for (const label of ['left', 'right']) await article.getByRole('checkbox', { name: `Show ${label}` }).uncheck();
    expect(await colouredPixels(page, 1)).toBe(0);
    expect(await colouredPixels(page, 0)).toBeGreaterThan(1000);

    const saved = page.waitForEvent('download');
    await article.getByRole('button', { name: 'Label map' }).click();
    expect((await saved).suggestedFilename()).toBe('hospital-painted-labels.nii.gz');
    expect(await article.getByRole('button', { name: 'DICOM SEG' }).count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test('shows how sure the service was, and saves for 3D Slicer what the service would answer', async () => {
    const { page } = await browser.open(system.edge.url);
    const volume = await noiseVolume([40, 36, 44]);
    await signIn(page, system.key);
    await addImages(page, [{ name: 'x.nii.gz', bytes: volume }]);
    await page.getByRole('checkbox', { name: 'hospital/painted' }).check();
    await page.getByRole('button', { name: 'Segment', exact: true }).click();
    const article = page.getByRole('article', { name: 'Result of hospital/painted' });
    const reply = await system.segment('adapter=painted&report=true&format=nrrd', volume);
    const report = readReport(reply.headers.get('x-report'));
    const table = article.getByRole('table', { name: 'How sure it was' });
    await table.waitFor();
    const shown = await table.locator('tbody tr').allInnerTexts();
    expect(report?.labels.length).toBe(2);
    expect(shown.map((row) => row.split(/\s+/))).toEqual(
      report?.labels.map(({ name, components, mean_probability: p, mean_entropy: entropy }) => [
        name,
        String(components),
        p?.toFixed(3),
        entropy?.toFixed(3),
      ]),
    );
    for (const { message } of report?.warnings ?? []) expect(await article.innerText()).toContain(message);

    const saved = page.waitForEvent('download');
    await article.getByRole('button', { name: '3D Slicer' }).click();
    expect((await saved).suggestedFilename()).toBe('hospital-painted-labels.seg.nrrd');
    const [found, expected] = [
      await nrrdParts(await readFile(await (await saved).path())),
      await nrrdParts(await labelMap(reply)),
    ];
    expect(found.header).toBe(expected.header);
    expect(found.voxels.equals(expected.voxels)).toBe(true);
  });

  test('keeps both adapters that are ticked at once, whichever answer comes first', async () => {
    const { page } = await browser.open(system.edge.url);
    await signIn(page, system.key);
    const { promise: other, resolve: answer } = Promise.withResolvers<void>();
    await page.route(/\/v1\/adapters\/.*good$/, async (route) => {
      await other;
      await route.continue();
    });
    await page.getByRole('checkbox', { name: 'hospital/good' }).check();
    await page.getByRole('checkbox', { name: 'hospital/painted' }).check();
    await page.getByRole('combobox', { name: /painted/ }).waitFor();
    expect(await page.getByRole('combobox', { name: /good/ }).count()).toBe(0);
    answer();
    await page.getByRole('combobox', { name: /good/ }).waitFor();
    await page.getByRole('combobox', { name: /painted/ }).waitFor();
    for (const name of ['hospital/good', 'hospital/painted'])
      expect(await page.getByRole('checkbox', { name }).isChecked()).toBe(true);
  });

  test('says in words what is wrong with an adapter, at the door and by the runner, and takes a good one', async () => {
    const { page } = await browser.open(system.edge.url);
    await signIn(page, system.key);
    await page.getByRole('link', { name: 'Adapters' }).click();
    const upload = async (file: Uint8Array) => {
      await page
        .locator('#adapter-file')
        .setInputFiles({ name: 'x.safetensors', mimeType: '', buffer: Buffer.from(file) });
      await page.getByRole('textbox', { name: 'Name' }).fill('mine');
      await page.getByRole('button', { name: 'Upload' }).click();
      await page.getByRole('button', { name: 'Close' }).waitFor();
      const text = await page.locator('form.push').innerText();
      await page.getByRole('button', { name: 'Close' }).click();
      return text;
    };
    const cut = await upload(system.good.subarray(0, system.good.byteLength - 5));
    expect(cut).toContain('It was refused, and nothing was stored.');
    expect(cut).toContain('The file is damaged or no safetensors file');
    const wrong = await upload(patchManifest(system.good, forgetSelftest));
    expect(wrong).toContain('It was rejected, and serves nobody.');
    expect(wrong).toContain('Fused here, it does not answer as it did in training');
    expect(await upload(system.good)).toContain('It is ready to segment.');
  });

  test('moves an alias and takes it back with one click', async () => {
    const second = await system.model.adapter({ description: 'The next version' });
    await pushReady(system, system.key, 'painted', second.bytes);
    const { page } = await browser.open(system.edge.url);
    await signIn(page, system.key);
    await page.getByRole('link', { name: 'Adapters' }).click();
    await page.getByRole('button', { name: 'hospital/painted' }).click();
    await page.getByRole('textbox', { name: 'New alias' }).fill('prod');
    await page.getByRole('button', { name: 'Add' }).click();
    const alias = async () => {
      const reply = await system.edge.call('GET', '/v1/adapters/painted@prod', { key: system.key });
      return adapterSchema.parse(await reply.json()).version;
    };
    await page.getByRole('button', { name: 'Back to version 1' }).click();
    await page.getByText('prod moved from version 2 to 1').waitFor();
    expect(await alias()).toBe(1);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('prod moved from version 1 to 2').waitFor();
    expect(await alias()).toBe(2);
  });

  test.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 390],
    ['dark', 390],
  ] as const)('has nothing that axe-core calls serious or critical: %s, %i pixels wide', async (colorScheme, width) => {
    const { page } = await browser.open(system.edge.url, { colorScheme, viewport: { width, height: 844 } });
    expect(await seriousFaults(page)).toEqual([]);
    await signIn(page, system.key);
    await page.getByRole('checkbox', { name: 'hospital/good' }).check();
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('link', { name: 'History' }).click();
    await page
      .getByRole('button', { name: /^Show the result/ })
      .first()
      .click();
    await page.locator('.run .labels').waitFor();
    await page.locator('.stage[aria-busy="false"]').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('link', { name: 'Adapters' }).click();
    await page.getByRole('button', { name: 'hospital/good' }).click();
    await page.getByRole('heading', { name: 'Versions' }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(overflow).toBe(0);
  });
});

const LABELS = [
  { value: 0, name: 'background' },
  { value: 1, name: 'left', color: [255, 0, 0] },
  { value: 2, name: 'right', color: [0, 255, 0] },
];

/** A NRRD file's header, and its voxels as they were packed. */
async function nrrdParts(file: Buffer): Promise<{ header: string; voxels: Buffer }> {
  const end = file.indexOf('\n\n');
  return { header: file.toString('utf8', 0, end), voxels: await promisify(gunzip)(file.subarray(end + 2)) };
}

/** Pixels of a canvas that are not grey, the crosshair left out. */
async function colouredPixels(page: Page, pane: number): Promise<number> {
  const { data, channels } = decode(await page.locator('.pane canvas').nth(pane).screenshot());
  let count = 0;
  for (let at = 0; at < data.length; at += channels) {
    const [r = 0, g = 0, b = 0] = data.subarray(at, at + 3);
    const isCrosshair = b > 150 && g > 150 && r < g;
    if (Math.max(r, g, b) - Math.min(r, g, b) > 40 && !isCrosshair) count++;
  }
  return count;
}

function forgetSelftest(manifest: Record<string, unknown>): void {
  const selftest = manifest['selftest'];
  if (typeof selftest !== 'object' || selftest === null || !('expected' in selftest)) throw new Error('no self-test');
  if (Array.isArray(selftest.expected)) selftest.expected = selftest.expected.map((value: number) => value + 1);
}
