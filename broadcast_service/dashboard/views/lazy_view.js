/** A view whose modules are loaded when it is first shown, or ahead of that by `prefetch`. */

/**
 * @template {{show: (...args: any[]) => void, reset: () => void, recover: () => void, clear: () => void}} View
 */
export class LazyView {
  /** @type {View | null} null until its modules are loaded */
  view = null;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** @type {Parameters<View['show']> | null} of the last call */
  #shown = null;

  /** @param {() => Promise<View>} load @param {() => void} onFailed the view is wanted and its modules cannot be loaded */
  constructor(load, onFailed) {
    this.load = load;
    this.onFailed = onFailed;
  }

  /** @param {Parameters<View['show']>} args the first one is falsy where the view is hidden */
  show(...args) {
    this.#shown = args;
    if (this.view) this.view.show(...args);
    else if (args[0]) void this.#load().catch(() => this.#shown?.[0] && this.onFailed());
  }

  /** Loads the modules while they are not needed yet; a failure is of no consequence. */
  prefetch() {
    if (!this.view) void this.#load().catch(() => {});
  }

  /** The language, or what the studio's file says, changed. */
  reset() {
    this.view?.reset();
  }

  /** The server answers again. */
  recover() {
    this.view?.recover();
  }

  /** Removes everything of the rooms. */
  clear() {
    this.view?.clear();
  }

  #load() {
    this.#loading ??= this.load().then(
      (view) => {
        this.view = view;
        if (this.#shown) view.show(...this.#shown);
      },
      (error) => {
        this.#loading = null; // the next call tries again
        throw error;
      },
    );
    return this.#loading;
  }
}
