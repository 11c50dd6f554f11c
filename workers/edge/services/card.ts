import type { AdapterManifest, BaseManifest } from '../../../schemas/manifest.ts';
import type { Card } from '../store/words.ts';

/** What of a manifest is kept beside the file and shown. */
export function cardOf(manifest: AdapterManifest | BaseManifest): Card {
  const { description, channels, activation, labels, regions, inference, provenance, licence, intended_use } = manifest;
  return {
    description,
    channels,
    activation,
    labels,
    ...(regions === undefined ? {} : { regions }),
    inference,
    provenance,
    licence,
    intended_use,
  };
}
