import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Locator, Page } from 'playwright-core';
import { z } from 'zod';
import { signIn, startBrowser } from '../e2e/support/browser.ts';

/**
 * For the trainer's tests: takes DICOM files through the console in a real browser, as a person would, and saves what it
 * offers. Plan as JSON on stdin; for each case one line of JSON on stdout.
 */
const planSchema = z.object({
  url: z.url(),
  key: z.string(),
  adapter: z.string(),
  cases: z.array(
    z.object({
      name: z.string(),
      files: z.array(z.string()),
      /** Of several images, the one whose name holds this. */
      image: z.string().optional(),
      out: z.string(),
    }),
  ),
});
type Plan = z.infer<typeof planSchema>;

const FORMATS = { 'labels.nii.gz': /^Label map/, 'labels.seg.nrrd': /^3D Slicer/, 'labels.dcm': /^DICOM SEG/ };

const plan = planSchema.parse(JSON.parse(await text(process.stdin)));
const browser = await startBrowser();
try {
  // Small, so that drawing takes no time.
  const { page, faults } = await browser.open(new URL(plan.url), { viewport: { width: 640, height: 480 } });
  await signIn(page, plan.key);
  for (const one of plan.cases) {
    console.log(JSON.stringify({ name: one.name, ...(await carriedOut(page, plan.adapter, one)) }));
    // Everything of a case goes with the page; the key stays in the tab.
    await page.reload();
  }
  const others = faults.filter((fault) => !/Invalid vr type|status of 422/.test(fault));
  if (others.length > 0) throw new Error(others.join('\n'));
} finally {
  await browser.close();
}

async function carriedOut(page: Page, adapter: string, { files, image, out }: Plan['cases'][number]) {
  await page.locator('#image-files').setInputFiles(files);
  const images = page.getByRole('list', { name: 'Images' }).getByRole('listitem');
  await images.or(page.getByRole('alert')).first().waitFor({ timeout: 60_000 });
  const names = await images.locator('.name').allInnerTexts();
  if (names.length === 0) return { images: names, refused: await page.getByRole('alert').innerText() };
  await page.getByRole('button', { name: 'Axial', exact: true }).click();
  await page.getByRole('checkbox', { name: adapter }).check();
  if (image !== undefined) await choose(page, image, names);
  await page.getByRole('button', { name: 'Segment', exact: true }).click();
  const result = page.getByRole('article', { name: /^Result of/ });
  const told = result.getByRole('alert');
  await result.getByRole('group', { name: /^Save/ }).or(told).waitFor({ timeout: 120_000 });
  if ((await told.count()) > 0) return { images: names, refused: await told.innerText() };
  const unsaved: Record<string, string> = {};
  for (const [name, button] of Object.entries(FORMATS)) {
    const words = await saved(page, result, button, join(out, name));
    if (words !== null) unsaved[name] = words;
  }
  return { images: names, unsaved };
}

async function choose(page: Page, image: string, names: readonly string[]): Promise<void> {
  const label = names.find((name) => name.includes(image));
  if (label === undefined) throw new Error(`no image ${image} among ${names.join(', ')}`);
  await page.getByRole('combobox', { name: 'T1' }).selectOption({ label });
}

/** Null where the file was saved, else what the page says instead. */
async function saved(page: Page, result: Locator, button: RegExp, path: string): Promise<string | null> {
  const file = page.waitForEvent('download').catch(() => null);
  await result.getByRole('button', { name: button }).click();
  const told = result.getByRole('alert');
  const first = await Promise.race([
    file,
    told.waitFor().then(
      () => 'told' as const,
      () => null,
    ),
  ]);
  if (first === 'told') return await told.innerText();
  if (first === null) throw new Error(`neither a file nor a word from ${String(button)}`);
  await first.saveAs(path);
  return null;
}
