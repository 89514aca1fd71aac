// A server that lets in only those with a token: pages show theirs, and it goes to nobody else.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ownNetwork } from './network.mjs';
import { meet, Stage } from './stage.mjs';

await ownNetwork(import.meta.url);

const TOKEN = 'what-members-of-the-club-know';
const WRONG = 'what-somebody-else-has-heard';

describe('a server that asks for a token', { timeout: 240_000 }, () => {
  let stage;
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peer-group-token-'));
    const file = join(folder, 'tokens');
    writeFileSync(file, `${TOKEN}\n`);
    stage = await Stage.set({ server: ['--token-file', file] });
  });
  after(async () => {
    await stage?.clear();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const named = (token) => `${stage.origin}/?token=${token}`;

  for (const [one, other] of [
    ['chromium', 'firefox'],
    ['firefox', 'chromium'],
  ])
    test(`${one} and ${other} show it and meet`, { timeout: 90_000 }, async () => {
      const a = await stage.page(one, `${one} 1`);
      const b = await stage.page(other, `${other} 2`);
      const shown = { rendezvous: named(TOKEN) };
      const { invitation } = await meet(stage, a, b, { create: shown, join: shown });
      const bytes = Buffer.from(invitation.slice(invitation.indexOf(':') + 1), 'base64url');
      assert.ok(bytes.includes(new URL(stage.origin).host), 'it says where the server is');
      assert.ok(!bytes.includes(TOKEN) && !invitation.includes(TOKEN));

      const c = await stage.fresh(other);
      for (const [name, options] of [
        ['none', {}],
        ['wrong', { rendezvous: named(WRONG) }],
      ]) {
        await c.call('join', name, invitation, { ...options, storage: { name } });
        const refused = await c.call('connect', name).then(
          () => assert.fail('let in'),
          (error) => error,
        );
        assert.equal(refused.code, 'access-denied');
        assert.match(refused.message, /\?token=\.\.\./);
        assert.ok(!refused.message.includes(WRONG));
      }
      await Promise.all([a, b, c].map((page) => page.isQuiet()));
      await Promise.all([a, b, c].map((page) => page.close()));
    });

  test('what can be no token is named as that, and not repeated', { timeout: 60_000 }, async () => {
    const page = await stage.page('chromium');
    const refused = { code: 'invalid-argument', message: /its token is not of 16 to 1024/ };
    const rendezvous = named('short');
    await assert.rejects(page.call('create', 'x', { friendlyName: 'X', rendezvous }), (error) => {
      assert.equal(error.code, refused.code);
      assert.match(error.message, refused.message);
      return !error.message.includes('short');
    });
    await page.close();
  });
});
