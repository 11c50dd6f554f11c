import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { FormatProblem } from '../../schemas/errors.ts';
import type { AdapterManifest } from '../../schemas/manifest.ts';
import { rolesOf, tensorName } from '../../schemas/roles.ts';
import { checkAdapterFile } from '../../schemas/rules.ts';
import type { LowRankTarget } from '../../schemas/target.ts';
import type { Base } from './base.ts';
import { invalidFile, readCheckedFile } from './checked-file.ts';
import { compileForm, type Roles, roundForm } from './compile.ts';
import { type CompiledAdapter, type Slot, sessionKind, type Tensor } from './compiled.ts';
import { matrix } from './matrix.ts';
import { deltaHasEffect, formHasEffect, formNotFinite, tensorNotFinite, wrongBase } from './rules.ts';

/**
 * Reads an adapter's file, checks every rule of the format but the self-test against its base, and compiles it.
 * `digest` is the file's SHA-256, `sha256:<hex>`, as the caller has verified it. Gives way to other work between
 * layers. Throws `invalid_adapter` with all problems that can be told apart.
 */
export async function readAdapter(bytes: Uint8Array, digest: string, base: Base): Promise<CompiledAdapter> {
  const { architecture } = base.manifest;
  const { manifest, tensors, problems } = await readCheckedFile(
    bytes,
    (header, size) => checkAdapterFile(header, size, (name) => (name === base.digest ? architecture : undefined)),
    'invalid_adapter',
  );
  const reader = new AdapterReader(base, tensors, problems);
  for (const [index, target] of manifest.targets.entries()) {
    await yieldToOthers();
    if (target.method === 'delta') reader.addDelta(target.parameter);
    else reader.addTarget(target, `manifest.targets[${index}]`);
  }
  for (const parameter of manifest.replaced) {
    await yieldToOthers();
    reader.addReplaced(parameter);
  }
  return reader.finish(digest, manifest);
}

/** Collects slots, replaced parameters and problems, one parameter at a time. */
class AdapterReader {
  readonly #base: Base;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #problems: FormatProblem[];
  readonly #warnings: string[] = [];
  readonly #slots = new Map<string, Slot>();
  readonly #replaced = new Map<string, Tensor>();
  #hasEffect = false;

  constructor(base: Base, tensors: ReadonlyMap<string, Tensor>, problems: readonly FormatProblem[]) {
    this.#base = base;
    this.#tensors = tensors;
    this.#problems = [...problems];
  }

  addTarget(target: LowRankTarget, path: string): void {
    const weight = this.#weight(target.parameter);
    const [out = 0, into = 0] = weight.shape;
    const w0 = matrix(out, into, weight.data);
    const roles = this.#roles(target);
    if (Object.values(roles).some((data) => tensorNotFinite('', data) !== null)) return;
    const form = compileForm(target, w0, roles);
    const slot = roundForm(target.parameter, form);
    const faulty = this.#report(formNotFinite(path, form, slot, w0));
    this.#report(wrongBase(path, target, w0, startFactors(target, out, into, roles)));
    if (faulty) return;
    this.#slots.set(target.parameter, slot);
    this.#warn(target.parameter, roles);
    this.#hasEffect ||= formHasEffect(form, w0);
  }

  addDelta(parameter: string): void {
    const weight = this.#weight(parameter);
    const name = tensorName(parameter, 'delta');
    const delta = this.#tensor(name).data;
    if (tensorNotFinite(name, delta) !== null) return;
    const data = weight.data.map((value, i) => value + (delta[i] ?? 0));
    if (this.#report(tensorNotFinite(name, data))) return;
    this.#replaced.set(parameter, { shape: weight.shape, data });
    this.#hasEffect ||= deltaHasEffect(delta, weight.data);
  }

  addReplaced(parameter: string): void {
    const full = this.#tensor(tensorName(parameter, 'full'));
    const { data } = this.#weight(parameter);
    this.#replaced.set(parameter, full);
    this.#hasEffect ||= full.data.length !== data.length || full.data.some((value, i) => value !== data[i]);
  }

  finish(digest: string, manifest: AdapterManifest): CompiledAdapter {
    // What is not finite was never compared, so nothing can be said about its effect.
    if (!this.#hasEffect && !this.#problems.some(({ code }) => code === 'not_finite')) {
      const message = "expected a weight that differs from the base's, found none";
      this.#problems.push({ code: 'no_effect', path: 'manifest.targets', message });
    }
    if (this.#problems.length > 0) throw invalidFile('invalid_adapter', this.#problems);
    const kind = sessionKind(this.#replaced.keys());
    const parts = { kind, slots: this.#slots, replaced: this.#replaced, warnings: this.#warnings };
    return { digest, manifest, ...parts, bytes: heldBytes(this.#slots.values(), this.#replaced.values()) };
  }

  #report(problem: FormatProblem | null): boolean {
    if (problem !== null) this.#problems.push(problem);
    return problem !== null;
  }

  #warn(parameter: string, roles: Roles): void {
    for (const [role, values] of Object.entries(roles)) {
      const negative = role.startsWith('magnitude') ? values.filter((value) => value < 0).length : 0;
      if (negative > 0)
        this.#warnings.push(`${tensorName(parameter, role)}: ${negative} of ${values.length} are negative`);
    }
  }

  #roles(target: LowRankTarget): Roles {
    return Object.fromEntries(
      rolesOf(target).map((role) => [role, this.#tensor(tensorName(target.parameter, role)).data]),
    );
  }

  #weight(parameter: string): Tensor {
    return present(this.#base.tensors.get(parameter), parameter);
  }

  #tensor(name: string): Tensor {
    return present(this.#tensors.get(name), name);
  }
}

function startFactors(target: LowRankTarget, out: number, into: number, { up0, down0 }: Roles) {
  if (up0 === undefined || down0 === undefined) return null;
  return { up0: matrix(out, target.rank, up0), down0: matrix(target.rank, into, down0) };
}

function heldBytes(slots: Iterable<Slot>, replaced: Iterable<Tensor>): number {
  let bytes = 0;
  for (const { up, down, cOut, cIn } of slots) {
    bytes += up.byteLength + down.byteLength + cOut.byteLength + cIn.byteLength;
  }
  for (const { data } of replaced) bytes += data.byteLength;
  return bytes;
}

/** The edge's rules have seen to it that every tensor a manifest speaks of is there. */
function present(tensor: Tensor | undefined, name: string): Tensor {
  if (tensor === undefined) throw new Error(`the checked file has no "${name}"`);
  return tensor;
}
