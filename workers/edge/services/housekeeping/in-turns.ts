/** Does one page after another until one is not full, or for so many pages. */
export async function inTurns(pages: number, full: number, page: () => Promise<number>): Promise<void> {
  for (let turn = 0; turn < pages; turn++) {
    if ((await page()) < full) return;
  }
}
