/**
 * @file What was taught, kept in the browser as one goes: in IndexedDB, which every browser has, in private windows
 * too, and which has a picture for good before the call that adds it is answered.
 */
import { caught, GGhostError } from './errors.js';

/**
 * @typedef {{ name: string, classes: { key: number, label: string }[], selfTest: Float32Array }} Kept a set: its classes
 *   and the features of the self-test's input, by which its network is known
 * @typedef {{ class: number | null, features: Float32Array, name?: string, thumbnail?: Blob }} Picture
 * @typedef {Picture & { id: number, set: string }} KeptPicture
 */

const DATABASE = 'g-ghostnet taught';

/** @param {IDBRequest} request @returns {Promise<any>} */
const answerOf = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** @returns {Promise<IDBDatabase>} */
function database() {
  if (!globalThis.indexedDB) {
    const text = 'Nothing can be kept here: leave the option keep out, and save what was taught as a file.';
    throw new GGhostError('unsupported', text);
  }
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('sets', { keyPath: 'name' });
    request.result.createObjectStore('pictures', { keyPath: 'id', autoIncrement: true }).createIndex('set', 'set');
  };
  return answerOf(request);
}

/** One set that is kept. */
export class Store {
  #database;
  #name;

  /** @param {IDBDatabase} database @param {string} name */
  constructor(database, name) {
    this.#database = database;
    this.#name = name;
  }

  /** @param {string} name @returns {Promise<Store>} */
  static open(name) {
    return said(async () => {
      const opened = await database();
      // Another tab with a newer version of the library may go on.
      opened.onversionchange = () => opened.close();
      return new Store(opened, name);
    });
  }

  /**
   * The set and its pictures, in the order in which they were added.
   * @returns {Promise<{ set: Kept, pictures: KeptPicture[] } | undefined>}
   */
  read() {
    return this.#do('readonly', async (sets, pictures) => {
      const [set, all] = [await answerOf(sets.get(this.#name)), pictures.index('set').getAll(this.#name)];
      return set && { set, pictures: await answerOf(all) };
    });
  }

  /** @param {Omit<Kept, 'name'>} set @returns {Promise<void>} */
  write(set) {
    return this.#do('readwrite', (sets) => answerOf(sets.put({ ...set, name: this.#name })));
  }

  /** @param {Picture[]} pictures @returns {Promise<number[]>} their numbers, which no other has */
  add(pictures) {
    return this.#do('readwrite', (_, store) =>
      Promise.all(pictures.map((picture) => answerOf(store.add({ ...picture, set: this.#name })))),
    );
  }

  /** @param {number} id @param {number | null} to key of another class @returns {Promise<void>} */
  move(id, to) {
    return this.#do('readwrite', async (_, pictures) => {
      const picture = await answerOf(pictures.get(id));
      if (picture) await answerOf(pictures.put({ ...picture, class: to }));
    });
  }

  /** @param {number[]} ids @returns {Promise<void>} */
  remove(ids) {
    return this.#do('readwrite', async (_, pictures) => {
      await Promise.all(ids.map((id) => answerOf(pictures.delete(id))));
    });
  }

  /** Removes the set. @returns {Promise<void>} */
  clear() {
    return this.#do('readwrite', async (sets, pictures) => {
      const ids = await answerOf(pictures.index('set').getAllKeys(this.#name));
      await Promise.all([
        answerOf(sets.delete(this.#name)),
        ...ids.map((/** @type {number} */ id) => answerOf(pictures.delete(id))),
      ]);
    });
  }

  close() {
    this.#database.close();
  }

  /**
   * A transaction: all of it is kept, or nothing.
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(sets: IDBObjectStore, pictures: IDBObjectStore) => Promise<T>} work
   * @returns {Promise<T>}
   */
  #do(mode, work) {
    return said(async () => {
      const transaction = this.#database.transaction(['sets', 'pictures'], mode);
      const done = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      done.catch(() => {}); // said by the request that failed, if one did
      const [result] = await Promise.all([
        work(transaction.objectStore('sets'), transaction.objectStore('pictures')),
        done,
      ]);
      return result;
    });
  }
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function said(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GGhostError) throw error;
    const { name, message } = caught(error);
    if (name === 'QuotaExceededError') {
      const text = 'The browser has no more room to keep pictures: save what was taught as a file, or remove some.';
      throw new GGhostError('out-of-memory', text, { cause: error });
    }
    throw new GGhostError(
      'unsupported',
      `What is taught cannot be kept here (${message ?? name}): leave the option keep out, and save it as a file.`,
      { cause: error },
    );
  }
}
