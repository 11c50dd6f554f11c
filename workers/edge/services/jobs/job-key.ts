/** Where the bodies of a job lie in the bucket. */
export const inputKey = (job: string) => `inputs/${job}`;
export const resultsOf = (job: string) => `results/${job}/`;
export const resultKey = (job: string, attempt: number) => `${resultsOf(job)}${attempt}`;
/** A completed upload. */
export const uploadKey = (upload: string) => `uploads/${upload}`;
