export { type Client, createClient } from './client.ts';
export {
  ApiError,
  type ErrorCode,
  type FormatProblem,
  JobError,
  PdoraError,
  type Problem,
  RejectedError,
  UnreachableError,
} from './errors.ts';
export type { WaitOptions } from './jobs.ts';
export type { paths } from './openapi.ts';
export type { RunReport, Segmentation } from './segmentation.ts';
export type { Adapter, Job, Reply, Report, SegmentOptions, Version } from './types.ts';
export type { SizedStream, Volume, Volumes } from './volume.ts';
export type { Api, Connection } from './wire.ts';
