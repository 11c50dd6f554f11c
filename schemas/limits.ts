/**
 * Every limit of the service, in one table with the unit in the name. What exceeds one of them is refused before
 * anything is allocated by it.
 */

/** Files and bodies. MB are 10^6 bytes, MiB 2^20, as the contract says them. */
export const DIRECT_BODY_MAX_BYTES = 95_000_000;
export const UPLOAD_MAX_BYTES = 512_000_000;
/** Of an upload's parts but the last: a multiple of what R2 asks for, below a direct body. */
export const UPLOAD_PART_BYTES = 50 * 2 ** 20;
export const ADAPTER_MAX_BYTES = 256 * 2 ** 20;
/** A feature size of 96 in F32 needs 947 MiB. */
export const BASE_MAX_BYTES = 2 ** 30;

/** Inside a safetensors file. */
export const HEADER_MAX_BYTES = 2 ** 20;
export const TENSORS_MAX = 4096;
/** As the safetensors library's own JSON reader. */
export const JSON_DEPTH_MAX = 128;
export const PROBLEMS_MAX = 100;

/** The network. */
export const CHANNELS_MAX = 8;
/** More than any base takes: up to here the number is compared with the base's, above it the list is refused. */
export const CHANNEL_NAMES_MAX = 64;
export const FEATURE_SIZE_MAX = 192;
export const DEPTH_MAX = 32;
/** Label values fit a uint16. */
export const LABELS_MAX = 65_536;
export const WINDOW_SIDE_MULTIPLE = 32;
export const WINDOW_SIDE_MAX = 192;
/** Of one run; its deadline ends it much sooner. */
export const WINDOWS_MAX = 65_536;
export const OVERLAP_MAX = 0.8;
export const SPACING_MIN_MM = 0.3;
export const SPACING_MAX_MM = 10;
export const SELFTEST_POSITIONS_MIN = 16;
export const SELFTEST_POSITIONS_MAX = 256;

/** Volumes. */
export const GRID_MAX_VOXELS = 2 ** 28;
export const INPUT_GRID_MAX_VOXELS = 2 ** 28;
/** Two channels lie on one grid where no corner differs by more. */
export const GRID_CORNER_TOLERANCE_MM = 0.01;

/** Time. */
export const DEADLINE_DEFAULT_SECONDS = 90;
export const DEADLINE_MAX_SECONDS = 600;
export const DEADLINE_ASYNC_DEFAULT_SECONDS = 3600;
export const DEADLINE_ASYNC_MAX_SECONDS = 86_400;
export const GRANT_SECONDS = 300;
export const RESULT_KEPT_SECONDS = 86_400;
/** An upload, from its start. */
export const UPLOAD_KEPT_SECONDS = 86_400;
/** The row of an ended job, without its input and result. */
export const JOB_KEPT_SECONDS = 30 * 86_400;
export const IDEMPOTENCY_KEPT_SECONDS = 86_400;
/** Between the last use of a file and its collection: longer than any run that may still fetch it. */
export const FILE_GRACE_SECONDS = 3_600;

/** What MONAI Label's clients leave here: a session, and an image of the datastore, from their last use. */
export const SESSION_DEFAULT_SECONDS = 3_600;
export const SESSION_MAX_SECONDS = 86_400;
export const IMAGE_KEPT_SECONDS = 86_400;
/** A link stands in a path, where it is easily passed on: it always ends. */
export const LINK_DEFAULT_SECONDS = 30 * 86_400;
export const LINK_MAX_SECONDS = 366 * 86_400;

/** For how long a rotated key works beside the new one. */
export const KEY_OVERLAP_DEFAULT_SECONDS = 86_400;
export const KEY_OVERLAP_MAX_SECONDS = 30 * 86_400;

/** The report of a segmentation in a header: clients of Node take 16 KiB of headers together. */
export const REPORT_HEADER_MAX_BYTES = 8 * 2 ** 10;

/** Lists. */
export const PAGE_DEFAULT_ITEMS = 50;
export const PAGE_MAX_ITEMS = 200;
