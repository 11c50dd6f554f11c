import { type Base, readBase } from '../../gpu-runner/adapter/base.ts';
import { lowRankParameters } from '../../schemas/architecture.ts';
import { SMALL_WINDOW } from '../../test/support/network.ts';
import {
  type FileTensor,
  randomAdapterTensors,
  randomBaseTensors,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
  writeBase,
} from '../../test/support/safetensors-file.ts';

/** A base of made-up weights whose principal parts are known, and a PDoRA adapter for every linear weight of it. */
export async function pdoraCase(featureSize: number, rank: number): Promise<{ base: Base; file: Uint8Array }> {
  const architecture = tinyArchitecture({ feature_size: featureSize });
  const linear = lowRankParameters(architecture);
  const inference = { roi_size: SMALL_WINDOW, overlap: 0.5, blend: 'gaussian' };
  const tensors = randomBaseTensors(architecture).map((tensor) =>
    linear.has(tensor.name) ? { ...tensor, data: split(tensor, rank) } : tensor,
  );
  const manifest = tinyBaseManifest({ architecture, inference, selftest: selftestOf(2, SMALL_WINDOW) });
  const base = await readBase(writeBase(manifest, tensors));
  const targets = [...linear].map((parameter) => {
    return { parameter, method: 'pdora', form: 'factor', norm_axis: 'in', rank };
  });
  const of = tinyAdapterManifest(base.digest, { targets, inference, selftest: selftestOf(3, SMALL_WINDOW) });
  const made = randomAdapterTensors(of, architecture).map((tensor) => {
    const [parameter = '', role = ''] = tensor.name.split('::');
    const [rows = 0, columns = 0] = tensor.shape;
    if (role === 'up0') return { ...tensor, data: at(rows, rank, (i, k) => (i === k ? 1 : 0)) };
    if (role !== 'down0') return tensor;
    const weight = base.tensors.get(parameter)?.data ?? new Float32Array(0);
    return { ...tensor, data: at(rank, columns, (k, j) => weight[k * columns + j] ?? 0) };
  });
  return { base, file: writeAdapter(of, made) };
}

/** The first rows touch the first columns alone and the others the others, so that the two parts are orthogonal. */
function split({ shape, data }: FileTensor, rank: number): Float32Array {
  const [rows = 0, columns = 0] = shape;
  const values = data instanceof Float32Array ? data : new Float32Array(0);
  return at(rows, columns, (i, j) => (i < rank === j < rank ? (values[i * columns + j] ?? 0) : 0));
}

function at(rows: number, columns: number, value: (row: number, column: number) => number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, n) => value(Math.floor(n / columns), n % columns));
}
