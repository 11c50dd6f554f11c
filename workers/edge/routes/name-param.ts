import { z } from 'zod';

/** An adapter of one's own in a path; `ownName` reads it. */
export const nameParam = z
  .string()
  .meta({ description: "One's own adapter's name; the admin key says tenant/name, percent-encoded" });
