import type { LowRankTarget } from '../../schemas/target.ts';
import type { Slot } from './compiled.ts';
import { type Matrix, matrix, product } from './matrix.ts';
import { bora, dora, type Form, lora, map, pdoraAdditive, pdoraFactor, pissa } from './methods.ts';

/** The tensors of one target by role (`up`, `down0`, `magnitude`, …). */
export type Roles = Readonly<Record<string, Float32Array>>;

/**
 * The compiled form of a target in float64. `w0` is the base's weight `[out, in]`; `tensors` hold the roles of the
 * target's method with the shapes of the format's table, which the edge's rules have checked.
 */
export function compileForm(target: LowRankTarget, w0: Matrix, tensors: Roles): Form {
  const { rows: out, cols: into } = w0;
  const up = matrix(out, target.rank, role(tensors, 'up'));
  const down = matrix(target.rank, into, role(tensors, 'down'));
  const start = () => ({
    up0: matrix(out, target.rank, role(tensors, 'up0')),
    down0: matrix(target.rank, into, role(tensors, 'down0')),
  });
  const vector = (name: string) => Float64Array.from(role(tensors, name));
  const scalar = (name: string) => role(tensors, name)[0] ?? Number.NaN;
  switch (target.method) {
    case 'lora':
      return lora({ up, down, scale: target.scale });
    case 'pissa':
    case 'loram':
      return pissa({ up, down, ...start(), scale: target.scale });
    case 'dora':
      return dora({ w0, up, down, scale: target.scale, magnitude: vector('magnitude'), axis: target.norm_axis });
    case 'pdora': {
      const factors = { up, down, ...start(), magnitude: vector('magnitude'), axis: target.norm_axis };
      return target.form === 'factor' ? pdoraFactor(factors) : pdoraAdditive({ ...factors, scale: target.scale });
    }
    case 'bora': {
      const magnitudes = { magnitudeOut: vector('magnitude_out'), magnitudeIn: vector('magnitude_in') };
      return bora({ w0, up, down, scale: target.scale, ...magnitudes });
    }
    case 'map':
      return map({ w0, up, down, alpha: scalar('alpha'), beta: scalar('beta') });
    default:
      target satisfies never;
      throw new Error('the schema let an unknown method through');
  }
}

/** The form as the session is fed it, rounded to float32 once. */
export function roundForm(parameter: string, form: Form): Slot {
  return {
    parameter,
    rank: form.up.cols,
    up: new Float32Array(form.up.data),
    down: new Float32Array(form.down.data),
    cOut: new Float32Array(form.cOut),
    cIn: new Float32Array(form.cIn),
  };
}

/** Compiles one target to the four small tensors of its slot; `w0` is `[out, into]`, norms are taken in float64. */
export function compileTarget(
  target: LowRankTarget,
  w0: Float32Array,
  out: number,
  into: number,
  tensors: Roles,
): Slot {
  return roundForm(target.parameter, compileForm(target, matrix(out, into, w0), tensors));
}

/** The whole fused weight `[out, in]` of a slot, in float64: for tests and for people, never for serving. */
export function denseFuse(slot: Slot, w0: Float32Array): Float64Array {
  const { rank, cOut, cIn } = slot;
  const up = matrix(cOut.length, rank, slot.up);
  const down = matrix(rank, cIn.length, slot.down);
  return fuseForm({ cOut: new Float64Array(cOut), cIn: new Float64Array(cIn), up, down }, w0);
}

/** `diag(cOut) W0 diag(cIn) + up down`, row-major in float64. */
export function fuseForm(form: Pick<Form, 'cOut' | 'cIn' | 'up' | 'down'>, w0: ArrayLike<number>): Float64Array {
  const fused = product(form.up, form.down).data;
  const into = form.down.cols;
  for (let i = 0; i < form.up.rows; i++) {
    const row = form.cOut[i] ?? 0;
    for (let j = 0; j < into; j++) {
      const at = i * into + j;
      fused[at] = (fused[at] ?? 0) + row * (w0[at] ?? 0) * (form.cIn[j] ?? 0);
    }
  }
  return fused;
}

function role(tensors: Roles, name: string): Float32Array {
  const values = tensors[name];
  if (values === undefined) throw new Error(`the target has no tensor "${name}"`);
  return values;
}
