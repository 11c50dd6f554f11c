import type { Network } from '../adapter/base-store.ts';
import { placeAdapter, withdrawAdapter } from '../adapter/placed.ts';
import type { SessionHost } from './session-host.ts';

/** The session host as the stores of bases and adapters need it. */
export function hostNetwork(host: SessionHost): Network {
  return {
    register: async (base) => await host.registerBase(base),
    // A file that cannot be removed now goes with the host's folder at its end.
    forget: (base) => void host.forgetBase(base.digest).catch(() => undefined),
    place: async (adapter) => await placeAdapter(host.weightsFolder, adapter),
    withdraw: (adapter) => void withdrawAdapter(adapter).catch(() => undefined),
    runWindow: async (request) => await host.runWindow(request),
  };
}
