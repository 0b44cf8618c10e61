/** Work over many rooms, a part of it in each frame, so that no frame waits for all of it. Pure. */

export class Slices {
  /** @type {string[]} */
  #left = [];
  #at = 0;

  /** @param {number} size how many in a frame */
  constructor(size) {
    this.size = size;
  }

  get busy() {
    return this.#at < this.#left.length;
  }

  /** Begins with these. The rest of the last round comes first: a page that cannot keep up still reaches every room. @param {Iterable<string>} keys */
  begin(keys) {
    const rest = this.#left.slice(this.#at);
    this.#left = rest.length > 0 ? [...new Set([...rest, ...keys])] : [...keys];
    this.#at = 0;
  }

  /** The next part. */
  next() {
    const part = this.#left.slice(this.#at, this.#at + this.size);
    this.#at += part.length;
    return part;
  }
}
