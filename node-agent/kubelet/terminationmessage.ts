import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActualContainer } from './actions.ts';
import { logDirectory } from './container.ts';
import { lastLines } from './logs.ts';
import { messageFile } from './mounts.ts';
import { allContainers, type Pod } from './pod.ts';

/** kubelet's MaxContainerTerminationMessageLength and its limits for a message taken from the log. */
const MESSAGE_BYTES = 4096;
const MESSAGE_LOG_BYTES = 2048;
const MESSAGE_LOG_LINES = 80;

/** What a run that has ended left as its message: its file, or the end of its log as the container's policy says. */
export async function terminationMessage(root: string, logRoot: string, pod: Pod, a: ActualContainer): Promise<string> {
  const c = allContainers(pod).find((x) => x.name === a.name);
  const text = await head(messageFile(root, pod, a.name, a.attempt));
  if (text !== '' || a.exitCode === 0 || c?.terminationMessagePolicy !== 'FallbackToLogsOnError') return text;
  const log = join(logDirectory(logRoot, pod), a.name, `${a.attempt}.log`);
  return lastLines(log, MESSAGE_LOG_LINES, MESSAGE_LOG_BYTES);
}

/** A container may have filled the disk with it: no more is read than is shown. */
async function head(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MESSAGE_BYTES), 0, MESSAGE_BYTES, 0);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}
