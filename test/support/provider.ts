import type { Provider } from '../../gpu-runner/inference/session-types.ts';

/** Where the network runs in parity tests and benchmarks: the CPU, or CUDA where `PDORA_TEST_PROVIDER` says so. */
export const TEST_PROVIDER: Provider = process.env['PDORA_TEST_PROVIDER'] === 'cuda' ? 'cuda' : 'cpu';
