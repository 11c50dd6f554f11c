/** What a runner may find in a file, and other programs tell by its name. */
const EXTENSIONS = ['.nii.gz', '.nii', '.seg.nrrd', '.nrrd'] as const;

/** The name without folders, of whichever system: clients send a full path. */
function baseOf(filename: string): string {
  return filename.split(/[/\\]/).at(-1) ?? '';
}

/** As MONAI Label takes it, `.nii.gz` where it says nothing that is known here. */
export function extensionOf(filename: string): string {
  const name = baseOf(filename).toLowerCase();
  return EXTENSIONS.find((extension) => name.endsWith(extension)) ?? '.nii.gz';
}

/** What an image is called whose client gives it no name: its file's, without the extension. */
export function stemOf(filename: string): string {
  const name = baseOf(filename);
  const extension = EXTENSIONS.find((one) => name.toLowerCase().endsWith(one)) ?? '';
  return name.slice(0, name.length - extension.length);
}
