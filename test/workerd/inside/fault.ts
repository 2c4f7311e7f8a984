/** Where a loop's replica is to fail: at its n-th commit to a store object from now on. */
export interface Fault {
  /** `<cluster>/<loop>/<replica>`. */
  loop: string;
  /** The store object's name: `<cluster>` or `<cluster>/events`. */
  store: string;
  nth: number;
  /** die: the object ends and can't be made again. hang: the commit goes off only when it is released. */
  how: 'die' | 'hang';
}
