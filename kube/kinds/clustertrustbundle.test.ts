import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../meta/object.ts';
import { kindByStorage } from './index.ts';

const kind = kindByStorage('clustertrustbundles.certificates.k8s.io');
const pem = (lines: string[], type = 'CERTIFICATE') =>
  `-----BEGIN ${type}-----\n${lines.join('\n')}\n-----END ${type}-----\n`;
const CA = pem([
  'MIIBbjCCARWgAwIBAgIUM1WTPtrP7PBSM3kWeRZmvIQ/mqowCgYIKoZIzj0EAwIw',
  'DDEKMAgGA1UEAwwBYTAgFw0yNjExMjIwMDAxMTBaGA8yMTI2MTAyOTAwMDExMFow',
  'DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAPT5o3s8dxe',
  'RqoSELIY8td4XgVIQrMjd+lXuanLeyMDxgJePPxOrr63puVO/Uzn+hTJu3v2cyTp',
  'v1kvJEjqqkejUzBRMB0GA1UdDgQWBBRt/Ek0LEwMdj9GALSZkdjVYx4N7DAfBgNV',
  'HSMEGDAWgBRt/Ek0LEwMdj9GALSZkdjVYx4N7DAPBgNVHRMBAf8EBTADAQH/MAoG',
  'CCqGSM49BAMCA0cAMEQCIEVxfxNnzy9ubR7OxGa4ZMFedE+ezdaTwaAg4RTqkAKZ',
  'AiBswJx3/lue3G5Y4giDpqaynbu29UvtCa20IogesfAvNQ==',
]);
const LEAF = pem([
  'MIIBbTCCARKgAwIBAgIUS9e/7JIWe7xFOLT7yk5s17u53TQwCgYIKoZIzj0EAwIw',
  'DDEKMAgGA1UEAwwBYjAgFw0yNjExMjIwMDAxMTBaGA8yMTI2MTAyOTAwMDExMFow',
  'DDEKMAgGA1UEAwwBYjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDeZc9AVDh9x',
  'sTbsMghz/B7QrVi1pL/YvukyY5N/753fekc8Pe2/QffEGSArGcT5ThPr0WU5UtRw',
  'VfN/5ebRaNmjUDBOMB0GA1UdDgQWBBSj2DKdoeoGpzmeKAy2kKJmuCEFMzAfBgNV',
  'HSMEGDAWgBSj2DKdoeoGpzmeKAy2kKJmuCEFMzAMBgNVHRMBAf8EAjAAMAoGCCqG',
  'SM49BAMCA0kAMEYCIQDTKqwOTHzeaTkk9i1VSkS8mvz5EhWiwzBmv+ZI706yPwIh',
  'ALwWK2fI8D+p3doxeFsr+VdFZjBAxWX7SuVi328apPOs',
]);

test('a bundle has a name after its signer and CA certificates, each once', () => {
  const table: [string, string | undefined, string, string[]][] = [
    ['a', undefined, CA, []],
    ['example.com:s:a', 'example.com/s', CA, []],
    ['a:b', undefined, CA, ['metadata.name: ClusterTrustBundle without signer name must not have ":" in its name']],
    [
      'a',
      'example.com/s',
      CA,
      ['metadata.name: ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:'],
    ],
    ['a', undefined, '', ['spec.trustBundle: at least one trust anchor must be provided']],
    ['a', undefined, CA + CA, ['spec.trustBundle: duplicate trust anchor (indices [0 1])']],
    ['a', undefined, CA + LEAF, ['spec.trustBundle: entry 1 does not have the CA bit set']],
    ['a', undefined, pem(['AAAA']), ['spec.trustBundle: entry 0 does not parse as X.509']],
    ['a', undefined, pem(['AAAA'], 'KEY'), ['spec.trustBundle: entry 0 has bad block type: KEY']],
  ];
  for (const [name, signerName, trustBundle, wrong] of table) {
    const next: KubeObject = {
      metadata: { name, uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { trustBundle, ...(signerName ? { signerName } : {}) },
    };
    const issues = kind?.validate?.(next, null, {} as never) ?? [];
    assert.deepEqual(
      issues.map((i) => `${i.field}: ${i.message.replace(/^Invalid value: ("[^"]*"|\S+): /, '')}`),
      wrong,
      `${name} ${signerName} ${issues.map((i) => i.message)}`,
    );
  }
});
