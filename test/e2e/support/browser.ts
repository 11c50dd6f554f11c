import { existsSync } from 'node:fs';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env['PDORA_CHROMIUM'] ?? '/usr/bin/chromium';

/** Where a browser is; tests that need one are skipped without it, and fail where CI is set. */
export const hasBrowser = existsSync(CHROMIUM) || process.env['CI'] !== undefined;

export interface Browser {
  /** A page of its own, at the console; what it must not do is collected in `faults`. */
  open(url: URL, options?: BrowserContextOptions): Promise<Opened>;
  /** An empty page. */
  empty(viewport: { readonly width: number; readonly height: number }): Promise<Page>;
  close(): Promise<void>;
}

export interface Opened {
  readonly page: Page;
  /** Errors of scripts, of the console and of the page's policy, and requests to anybody else. */
  readonly faults: string[];
}

/** Headless Chromium that draws WebGL2 without a GPU. */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM))
    throw new Error(`no browser at ${CHROMIUM}: install chromium, or name one in PDORA_CHROMIUM`);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
  });
  return {
    async open(url, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 940 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') faults.push(message.text());
      });
      page.on('request', (request) => {
        const target = new URL(request.url());
        if (!['blob:', 'data:'].includes(target.protocol) && target.origin !== url.origin) faults.push(request.url());
      });
      await page.goto(new URL('/console/', url).href);
      return { page, faults };
    },
    async empty(viewport) {
      return await (await browser.newContext({ viewport })).newPage();
    },
    close: () => browser.close(),
  };
}

export async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation').waitFor();
}

/** As if they were chosen in the dialogue of the browser. */
export async function addImages(page: Page, files: readonly { name: string; bytes: Uint8Array }[]): Promise<void> {
  const payloads = files.map(({ name, bytes }) => ({ name, mimeType: '', buffer: Buffer.from(bytes) }));
  await page.locator('#image-files').setInputFiles(payloads);
  await page.getByRole('list', { name: 'Images' }).getByRole('listitem').first().waitFor();
  await page.locator('.stage[aria-busy="false"]').waitFor();
}
