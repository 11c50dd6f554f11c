import { DIRECT_BODY_MAX_BYTES } from '../../../schemas/limits.ts';
import type { Api, Output } from '../api.ts';

/** Room for the lines between the parts of a form. */
const FORM_MARGIN_BYTES = 10_000;

/**
 * Sends one volume a channel to be segmented, in parts where they are too large for one request, and answers the id of the
 * segmentation.
 */
export async function sendVolumes(
  api: Api,
  ref: string,
  output: Output,
  channels: ReadonlyMap<string, Blob>,
  signal?: AbortSignal,
): Promise<string> {
  const bytes = [...channels.values()].reduce((sum, { size }) => sum + size, 0);
  if (bytes > DIRECT_BODY_MAX_BYTES - FORM_MARGIN_BYTES) {
    const inputs: Record<string, string> = {};
    for (const [channel, file] of channels) inputs[channel] = await upload(api, file, signal);
    return await api.segment(ref, output, inputs, signal);
  }
  const [only] = channels.values();
  if (channels.size === 1 && only !== undefined) return await api.segment(ref, output, only, signal);
  const form = new FormData();
  // One name for all: those of the files stay here.
  for (const [channel, file] of channels) form.append(channel, file, 'volume.nii.gz');
  return await api.segment(ref, output, form, signal);
}

/** Sends a file in parts and answers the id of the upload. */
export async function upload(api: Api, file: Blob, signal?: AbortSignal): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const begun = await api.beginUpload(file.size, sha256, signal);
  let sent = 0;
  for (const { url, size } of begun.parts) {
    await api.putPart(url, file.slice(sent, sent + size), signal);
    sent += size;
  }
  await api.completeUpload(begun, signal);
  return begun.id;
}
