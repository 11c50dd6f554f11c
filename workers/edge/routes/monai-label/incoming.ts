import { ServiceError } from '../../../../schemas/errors.ts';
import type { EdgeContext } from '../../http/context.ts';
import { contentLength } from '../../http/headers.ts';
import { EMPTY_FORM, type Form, type FormFile, readForm } from '../../services/monai-label/form.ts';

/** The form of a call. One without a body, or with another, has no fields. */
export async function incomingForm(c: EdgeContext): Promise<Form> {
  const { body } = c.req.raw;
  if (body === null || !/^multipart\/form-data\b/i.test(c.req.header('content-type') ?? '')) return EMPTY_FORM;
  return await readForm(body, contentLength(c.req));
}

/** The form's file, if it is the part of this name; whatever `work` throws, the caller is heard to the end. */
export async function withFile<T>(c: EdgeContext, name: string, work: (file: FormFile) => Promise<T>): Promise<T> {
  const form = await incomingForm(c);
  try {
    const { file } = form;
    if (file === null || file.name !== name) {
      throw new ServiceError('invalid_request', `body: expected multipart/form-data with a file named ${name}.`);
    }
    return await work(file);
  } catch (error) {
    await form.drain();
    throw error;
  }
}
