/**
 * Folders of the tests: downloads (`.cache/`), and data and logs of what they run (`.cache/run/`).
 *
 * Several test files run at once, so an entry of the cache is made in a folder of its own and renamed into place: a
 * reader sees all of it or nothing, even if its maker was killed.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The checkout's root. */
export const ROOT = path.resolve(import.meta.dirname, '../..');

/** Kept between runs: downloads. Safe to delete when no test runs. */
export const CACHE = path.join(ROOT, '.cache');

/** Data and logs of running servers. */
export const RUN = path.join(CACHE, 'run');

/** A new empty folder `.cache/run/<label>.<pid>.<random>` for the data and logs of one server or test. */
export function createRunFolder(label: string): string {
  const folder = path.join(RUN, `${label}.${process.pid}.${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Deletes a folder of `createRunFolder`, unless `PENSTOCK_TEST_KEEP` is set to look at what a test left. */
export function removeRunFolder(folder: string): void {
  if (process.env.PENSTOCK_TEST_KEEP) return;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Deletes the run folders of processes that are gone (a killed test run leaves its own behind). */
export function sweepRunFolders(): void {
  if (!existsSync(RUN)) return;
  for (const entry of readdirSync(RUN)) {
    const pid = Number(entry.split('.').at(-2));
    if (Number.isInteger(pid) && !isAlive(pid)) removeRunFolder(path.join(RUN, entry));
  }
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The folder `.cache/<name>`, made by `make` when it is not there yet.
 *
 * Only one process makes it, the others wait. The lock of a dead process is taken over; should two
 * processes ever make it at once, the first rename wins and both results are the same.
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = path.join(CACHE, name);
  if (existsSync(folder)) return folder;
  const lock = `${folder}.lock`;
  mkdirSync(path.dirname(folder), { recursive: true });
  while (!takeLock(lock)) {
    await sleep(200);
    if (existsSync(folder)) return folder;
  }
  try {
    if (existsSync(folder)) return folder;
    const draft = `${folder}.${process.pid}.${randomBytes(4).toString('hex')}`;
    try {
      mkdirSync(draft, { recursive: true });
      await make(draft);
      if (!existsSync(folder)) renameSync(draft, folder);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
    return folder;
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Takes the lock file, or the place of a holder that has died. The file holds the holder's process id. */
export function takeLock(file: string): boolean {
  if (createExclusive(file)) return true;
  try {
    const holder = Number(readFileSync(file, 'utf8'));
    // An empty file is one whose holder is just about to write its id.
    if (holder === 0 || isAlive(holder)) return false;
  } catch {
    return false;
  }
  rmSync(file, { force: true });
  return createExclusive(file);
}

function createExclusive(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
