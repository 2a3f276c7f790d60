import { expect, it } from 'vitest';
import { requestTarget } from './request-target.js';

it.each([
  ['/v1/models', 'a.example:80', '/v1/models'],
  ['/v1/models?a=b#c', 'a.example:80', '/v1/models'],
  ['http://b.example/v1/models?a=/c', 'b.example', '/v1/models'],
  ['HTTPS://[::1]:8000/v1', '[::1]:8000', '/v1'],
  ['http://b.example', 'b.example', '/'],
  ['http://b.example?a=b', 'b.example', '/'],
  ['//b.example/v1', 'a.example:80', '//b.example/v1'],
  ['/http://b.example/v1', 'a.example:80', '/http://b.example/v1'],
  ['*', 'a.example:80', '*'],
  ['', 'a.example:80', '/'],
])('%j', (url, host, path) => {
  expect(requestTarget({ url, headers: { host: 'a.example:80' } })).toEqual({ host, path });
});

it('a request without a host is for none', () => {
  expect(requestTarget({ url: '/v1', headers: {} })).toEqual({ host: '', path: '/v1' });
});
