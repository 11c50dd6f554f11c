const LARGE_PAGES = 'glibc.malloc.hugetlb';

/**
 * The environment of a process that runs the network.
 *
 * Large pages: a window goes through gigabytes of memory, and looks up a page for every 4 kB of it. With glibc asking the
 * system for pages of 2 MB it takes 0.88 of the time; the first window takes a second longer, while they are made. What
 * an operator says of them stands.
 *
 * No TF32: half-precision products would miss the logits by 1e-3, and onnxruntime-node has no option for it.
 */
export function networkEnvironment(own: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  const tunables = own['GLIBC_TUNABLES'] ?? '';
  const given = tunables.split(':').filter((one) => one !== '');
  const asked = given.some((one) => one.startsWith(`${LARGE_PAGES}=`)) ? given : [...given, `${LARGE_PAGES}=1`];
  return { ...own, GLIBC_TUNABLES: asked.join(':'), NVIDIA_TF32_OVERRIDE: '0' };
}
