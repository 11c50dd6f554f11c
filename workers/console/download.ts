/** Saves a file under a name. */
export function download(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A name for a file that says which adapter made it, and nothing of whom it shows. */
export function fileName(ref: string, what: string): string {
  return `${ref.replace(/[^a-z0-9._-]+/gi, '-')}-${what}`;
}
