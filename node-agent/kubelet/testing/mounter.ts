import { isWithin, type Mounter, type MountPoint } from '../volumes/mounter.ts';

/** Mounts that are only remembered: for tests without root. What is bound or mounted is an ordinary empty folder or file. */
export class FakeMounter implements Mounter {
  readonly mounts: (MountPoint & { source: string })[] = [];
  /** The next call of mount or bind fails with this. */
  failure: string | undefined;

  async below(dir: string): Promise<MountPoint[]> {
    return this.mounts.filter((m) => isWithin(m.path, dir));
  }
  async mount(o: { type: string; source: string; target: string; options: readonly string[] }): Promise<void> {
    this.#add({ path: o.target, type: o.type, source: o.source, options: o.options.join(',') });
  }
  async bind(source: string, target: string): Promise<void> {
    this.#add({ path: target, type: 'bind', source, options: '' });
  }
  async unmount(target: string): Promise<void> {
    const at = this.mounts.findLastIndex((m) => m.path === target);
    if (at < 0) throw new Error(`${target} is not mounted`);
    this.mounts.splice(at, 1);
  }
  #add(m: MountPoint & { source: string }): void {
    if (this.failure !== undefined) {
      const text = this.failure;
      this.failure = undefined;
      throw new Error(text);
    }
    this.mounts.push(m);
  }
}
