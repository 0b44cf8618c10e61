/** A reporter for tests of several files in one process: a line of JSON for each test, with the file that it is in. */

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* byFile(events) {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { file, name, details, skip, todo } = data;
    const error = type === 'test:fail' && `${details.error?.cause?.stack ?? details.error?.cause ?? details.error}`;
    yield `${JSON.stringify({ file, name, error, isSkipped: skip !== undefined || todo !== undefined })}\n`;
  }
}
