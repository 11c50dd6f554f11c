import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Base } from '../adapter/base.ts';
import { writeWeights } from '../network/weights.ts';
import type { RegisteredBase } from './session-messages.ts';

export type RegistrableBase = Pick<Base, 'digest' | 'manifest' | 'tensors'>;

/** The weights files of a host's bases, in a folder of its own that goes with it. */
export class BaseWeights {
  readonly directory = mkdtempSync(join(tmpdir(), 'pdora-weights-'));
  readonly #writing = new Map<string, Promise<RegisteredBase>>();
  readonly #written = new Map<string, RegisteredBase>();

  /** Bases whose files are whole. */
  get all(): ReadonlyMap<string, RegisteredBase> {
    return this.#written;
  }

  /** Writes a base's file, once a digest; calls back when a file is new. */
  async add(base: RegistrableBase, onNew: (registered: RegisteredBase) => void): Promise<void> {
    const known = this.#writing.get(base.digest);
    if (known !== undefined) {
      await known;
      return;
    }
    const writing = this.#write(base);
    this.#writing.set(base.digest, writing);
    try {
      const registered = await writing;
      this.#written.set(base.digest, registered);
      onNew(registered);
    } catch (error) {
      this.#writing.delete(base.digest);
      throw error;
    }
  }

  /** Removes a base's file. Sessions that have it open keep what they need of it. */
  async forget(digest: string): Promise<void> {
    const written = this.#written.get(digest);
    if (written === undefined) return;
    this.#written.delete(digest);
    this.#writing.delete(digest);
    await rm(written.weightsPath, { force: true });
  }

  async removeAll(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  async #write({ digest, manifest, tensors }: RegistrableBase): Promise<RegisteredBase> {
    const { architecture } = manifest;
    // A name of its own each time: a session may still read a forgotten file of the same digest.
    const weightsPath = join(this.directory, `${randomUUID()}.weights`);
    await writeWeights(weightsPath, architecture, tensors);
    return { digest, architecture, weightsPath };
  }
}
