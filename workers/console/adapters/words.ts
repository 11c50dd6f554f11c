import type { FormatCode } from '../../../schemas/errors.ts';

/** What each problem of an adapter file means, and what helps, for whoever trained it. */
export const PROBLEM_WORDS: Readonly<Record<FormatCode, { readonly what: string; readonly help: string }>> = {
  container: {
    what: 'The file is damaged or no safetensors file',
    help: 'Save it again, and see that the copy is whole: compare the SHA-256 of both.',
  },
  manifest: {
    what: 'The manifest inside the file is not as the format wants it',
    help: 'Save it with the trainer of this version, or correct the place that is named here.',
  },
  unknown_base: {
    what: 'It was trained for a base that is not served here',
    help: 'Ask the operator for that base, or train again from one of those served.',
  },
  tensors: {
    what: 'Its tensors do not fit the base or its own manifest',
    help: 'Check that rank, layers and shapes in the manifest are those of the training.',
  },
  norm_axis: {
    what: 'It does not say along which axis the magnitude normalises',
    help: 'Name `norm_axis` for the layers given here; square layers leave it open.',
  },
  labels: {
    what: 'Labels, regions or channels do not fit the head',
    help: 'There must be one label a channel of the head, from 0 without gaps.',
  },
  not_finite: {
    what: 'It holds numbers that are not finite',
    help: 'The training has diverged, or a scale was lost in a half precision: use an earlier checkpoint.',
  },
  wrong_base: {
    what: 'It was trained from other weights than those of its base',
    help: 'Train it from the base file itself, whose digest the manifest has to name.',
  },
  no_effect: {
    what: 'It changes nothing: the network stays the base',
    help: 'See whether the trained weights were saved, and not those from before the training.',
  },
  selftest: {
    what: 'Fused here, it does not answer as it did in training',
    help: 'Method, scale or weights differ from those that made the self-test: save it again from the checkpoint.',
  },
};

export function problemWords(code: string): { readonly what: string; readonly help: string } {
  const known = Object.entries(PROBLEM_WORDS).find(([name]) => name === code);
  return known?.[1] ?? { what: code, help: '' };
}
