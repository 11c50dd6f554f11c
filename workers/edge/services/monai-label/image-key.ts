/** Where an image that a client left lies in the bucket. */
export const imageKey = (id: string) => `images/${id}`;
