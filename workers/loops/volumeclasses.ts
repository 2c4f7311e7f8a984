import { parseJson } from '../../kube/codec/json.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import type { EffectFunction } from './client.ts';

const PAGE = 500;
const HOST = 'https://loop.invalid';
/** Where claims and volumes name their class. */
const PLACES = [
  'spec.volumeAttributesClassName',
  'status.currentVolumeAttributesClassName',
  'status.modifyVolumeStatus.targetVolumeAttributesClassName',
];

/** `classUsers {name}`: whether a claim or a volume of the cluster names that VolumeAttributesClass. Asked only of a class that is being deleted. */
export const classEffects: Readonly<Record<string, EffectFunction>> = {
  async classUsers(input, ask) {
    for (const plural of ['persistentvolumes', 'persistentvolumeclaims'])
      for (let after = ''; ; ) {
        const url = `${HOST}/api/v1/${plural}?limit=${PAGE}${after}`;
        const response = await ask(new Request(url, { headers: { accept: 'application/json' } }));
        const body = parseJson(await response.text()) as JsonObject;
        if (response.status >= 400) throw new Error(String(body.message));
        const { items = [], metadata } = body as unknown as { items?: KubeObject[]; metadata: { continue?: string } };
        if (items.some((o) => PLACES.some((place) => at(o, place) === input.name))) return { used: true };
        if (!metadata.continue) break;
        after = `&continue=${encodeURIComponent(metadata.continue)}`;
      }
    return { used: false };
  },
};
