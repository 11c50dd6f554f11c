/** A volume that is read once, while it is sent, and whose length is known: the service takes no other. */
export interface SizedStream {
  readonly stream: ReadableStream<Uint8Array>;
  /** Bytes. */
  readonly size: number;
}

/** A NIfTI or NRRD file. `openAsBlob` of `node:fs` makes a blob that is read from the disk while it is sent. */
export type Volume = Blob | Uint8Array<ArrayBuffer> | ArrayBuffer | SizedStream;

/** One volume, or one for each of the adapter's channels. */
export type Volumes = Volume | Readonly<Record<string, Blob>>;

interface Body {
  readonly body: Blob | FormData | ReadableStream<Uint8Array>;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the volumes. */
  readonly size: number;
  /** Whether it can be sent a second time. */
  readonly again: boolean;
  /** What can go in parts; null where it can be read but once, and in order. */
  readonly parts: Blob | Readonly<Record<string, Blob>> | null;
}

export const OCTETS = { 'content-type': 'application/octet-stream' };

export function bodyOf(volumes: Volumes): Body {
  if (volumes instanceof Blob)
    return { body: volumes, headers: OCTETS, size: volumes.size, again: true, parts: volumes };
  if (volumes instanceof ArrayBuffer || volumes instanceof Uint8Array) return bodyOf(new Blob([volumes]));
  if (isStream(volumes)) {
    const { stream, size } = volumes;
    return { body: stream, headers: { ...OCTETS, 'content-length': String(size) }, size, again: false, parts: null };
  }
  const form = new FormData();
  let size = 0;
  for (const [channel, file] of Object.entries(volumes)) {
    // A file's own name can be a patient's.
    form.append(channel, file, 'volume');
    size += file.size;
  }
  return { body: form, headers: {}, size, again: true, parts: volumes };
}

function isStream(volumes: SizedStream | Readonly<Record<string, Blob>>): volumes is SizedStream {
  return 'stream' in volumes && volumes.stream instanceof ReadableStream;
}
