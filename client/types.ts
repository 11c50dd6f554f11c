import type { paths } from './openapi.ts';

type Operation<P extends keyof paths, M extends string> = M extends keyof paths[P] ? paths[P][M] : never;
type Json<R> = R extends { content: { 'application/json': infer T } } ? T : never;

/** The JSON of a call that succeeded. */
export type Reply<P extends keyof paths, M extends string = 'get', S extends number = 200> =
  Operation<P, M> extends { responses: infer R } ? (S extends keyof R ? Json<R[S]> : never) : never;

/** An asynchronous segmentation. */
export type Job = Reply<'/v1/segmentations/{id}'>;
export type Report = Reply<'/v1/segmentations/{id}/report'>;
export type Adapter = Reply<'/v1/adapters/{ref}'>;
export type Version = Reply<'/v1/adapters/{name}/versions', 'post', 201>;

type Query = NonNullable<paths['/v1/segmentations']['post']['parameters']['query']>;

export interface SegmentOptions extends Pick<Query, 'output' | 'format' | 'deadline'> {
  readonly signal?: AbortSignal;
}
