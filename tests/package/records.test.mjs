// Records of one group that nobody else is in: their shapes, errors, searches, and what is watched.

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { fails } from './fails.mjs';

const { PeerGraph, PeerGroup } = await import('../../dist/index.js');

const MEMORY = { storage: 'memory', rendezvous: 'wss://rendezvous.example' };
const DAY_MS = 86_400_000;
const NOTE = { type: 'note', expires: DAY_MS };
const bytes = (text) => new TextEncoder().encode(text);
const ids = (records) => records.map(({ id }) => id).sort();

let group;
let records;
const open = [];
beforeEach(async () => {
  group = await PeerGroup.create({ ...MEMORY, friendlyName: 'Records' });
  open.push(group);
  records = group.records;
});
after(() => Promise.all(open.map((one) => one[Symbol.asyncDispose]())));

test('a record comes back as it was added', async () => {
  const before = group.peerTime().getTime();
  const expires = new Date(before + DAY_MS);
  const when = new Date(1234);
  const id = await records.add({
    type: 'note',
    data: bytes('hello'),
    attributes: { title: 'One', tags: ['b', 'a'], rank: -7, when, mixed: ['x', 1, when] },
    expires,
    autoRefresh: true,
  });
  assert.match(id, /^[0-9a-f]{32}$/);
  const record = await records.get(id);
  const { created, modified, data, ...rest } = record;
  assert.deepEqual(rest, {
    id,
    type: 'note',
    version: 1,
    creator: group.peerId,
    expires,
    autoRefresh: true,
    attributes: { title: 'One', tags: ['b', 'a'], rank: -7, when, mixed: ['x', 1, when] },
  });
  assert.ok(data instanceof Uint8Array);
  assert.equal(new TextDecoder().decode(data), 'hello');
  assert.ok(created.getTime() >= before && created.getTime() <= group.peerTime().getTime() + 1);
  assert.deepEqual(modified, created);
  assert.deepEqual(await records.list(), [record]);
  // What the app does with its copy is its own affair.
  data.fill(0);
  assert.equal(new TextDecoder().decode((await records.get(id)).data), 'hello');
});

test('only a type and an end are required', async () => {
  const id = await records.add(NOTE);
  const { data, attributes, autoRefresh, expires, created } = await records.get(id);
  assert.deepEqual([data.length, attributes, autoRefresh], [0, {}, false]);
  assert.equal(expires.getTime() - created.getTime(), DAY_MS);
});

test('misspelt fields are refused with the right name, wrong ones by what is wanted', async () => {
  const cases = [
    [{ ...NOTE, dta: bytes('x') }, 'invalid-argument', /did you mean "data"/],
    [{ ...NOTE, data: 'text' }, 'invalid-argument', /"data" must be a Uint8Array/],
    [{ expires: 5 }, 'invalid-argument', /type must be a string/],
    [{ ...NOTE, autoRefresh: 1 }, 'invalid-argument', /"autoRefresh" must be true or false/],
    ['note', 'invalid-argument', /options must be an object/],
    [{ type: 'note' }, 'invalid-record-expiration'],
    [{ ...NOTE, expires: Number.NaN }, 'invalid-record-expiration', /"expires"/],
    [{ ...NOTE, expires: new Date('no') }, 'invalid-record-expiration', /"expires"/],
    [{ ...NOTE, expires: '2030' }, 'invalid-record-expiration', /"expires"/],
    [{ ...NOTE, expires: 0 }, 'invalid-record-expiration', /"expires"/],
    [{ ...NOTE, expires: Number.POSITIVE_INFINITY }, 'invalid-record-expiration'],
    [{ ...NOTE, expires: new Date(group.peerTime() - 1000) }, 'invalid-record-expiration'],
    [{ ...NOTE, expires: 401 * DAY_MS }, 'invalid-record-expiration'],
    [{ ...NOTE, expires: 8.64e15 }, 'invalid-record-expiration'],
    [{ ...NOTE, type: 'peer-group/mine' }, 'not-authorized', /engine's own/],
    [{ ...NOTE, type: 'x'.repeat(65) }, 'invalid-argument', /64 bytes/],
    [{ ...NOTE, type: '' }, 'invalid-argument', /64 bytes/],
    [{ ...NOTE, data: new Uint8Array(1024 * 1024 + 1) }, 'max-record-size-exceeded'],
  ];
  for (const [record, code, words] of cases) await fails(records.add(record), code, words);
  assert.deepEqual(await records.list(), []);
});

test('attributes: what names and values may be', async () => {
  const wrong = [
    [{ 'a b': 1 }, 'invalid-attributes', /letters and digits/],
    [{ ['x'.repeat(41)]: 1 }, 'invalid-attributes'],
    [{ '': 1 }, 'invalid-attributes'],
    [{ __proto__x: 1 }, 'invalid-attributes'],
    [{ peercreatorid: 'me' }, 'invalid-attributes', /every record has/],
    [{ none: [] }, 'invalid-attributes', /no value/],
    [{ half: 0.5 }, 'invalid-attributes', /"half" must be/],
    [{ far: 2 ** 53 }, 'invalid-attributes', /"far" must be/],
    [{ flag: true }, 'invalid-attributes', /"flag" must be/],
    [{ list: ['a', null] }, 'invalid-attributes', /"list" must be/],
    [{ date: new Date(Number.NaN) }, 'invalid-attributes', /"date" must be/],
    [{ long: 'x'.repeat(4097) }, 'invalid-attributes', /4096/],
    [['a'], 'invalid-attributes'],
    ['a', 'invalid-attributes'],
    [{ many: Array.from({ length: 129 }, () => 1) }, 'too-many-attributes'],
    [
      Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`a${i}`, 1])),
      'too-many-attributes',
    ],
  ];
  for (const [attributes, code, words] of wrong)
    await fails(records.add({ ...NOTE, attributes }), code, words);
  const right = {
    [`${'x'.repeat(40)}`]: 'x'.repeat(4096),
    edge: [-(2 ** 53) + 1, 2 ** 53 - 1],
    text: '',
    constructor: 'own',
    late: new Date(8.64e15),
    early: new Date(-8.64e15),
  };
  const id = await records.add({ ...NOTE, attributes: { ...right, absent: undefined } });
  assert.deepEqual((await records.get(id)).attributes, right);
});

test('update changes what it names, and nothing else', async () => {
  const id = await records.add({ ...NOTE, data: bytes('1'), attributes: { a: 1 } });
  const first = await records.get(id);
  await records.update(id, { data: bytes('2') });
  const second = await records.get(id);
  assert.deepEqual(
    [second.version, second.attributes, second.expires, second.created],
    [2, { a: 1 }, first.expires, first.created],
  );
  assert.equal(new TextDecoder().decode(second.data), '2');
  assert.ok(second.modified >= first.modified);
  await records.update(id, { attributes: {} });
  const later = new Date(first.expires.getTime() + 1);
  await records.update(id, { expires: later, ifVersion: 3 });
  const last = await records.get(id);
  assert.deepEqual([last.version, last.attributes, last.expires], [4, {}, later]);
  assert.equal(new TextDecoder().decode(last.data), '2');

  await fails(records.update(id, { data: bytes('3'), ifVersion: 3 }), 'invalid-record');
  await fails(records.update(id, { expires: first.expires }), 'invalid-record-expiration');
  await fails(records.update(id, { ifversion: 4 }), 'invalid-argument', /"ifVersion"/);
  await fails(records.update(id, { ifVersion: 0 }), 'invalid-argument', /"ifVersion"/);
  await fails(records.update(id, { attributes: { 'no name': 1 } }), 'invalid-attributes');
  await fails(records.update('0'.repeat(32), { data: bytes('x') }), 'record-not-found');
  await fails(records.update('short', {}), 'invalid-argument', /32 hexadecimal/);
  assert.equal((await records.get(id)).version, 4);
});

test('delete, and what is no longer there', async () => {
  const id = await records.add(NOTE);
  await records.delete(id);
  await fails(records.get(id), 'record-not-found');
  await fails(records.delete(id), 'record-not-found');
  await fails(records.update(id, { data: bytes('x') }), 'record-not-found');
  assert.deepEqual(await records.list(), []);
  await fails(records.get(7), 'invalid-argument', /id must be a string/);
});

test('list by type and by creator', async () => {
  const note = await records.add(NOTE);
  const song = await records.add({ ...NOTE, type: 'song' });
  assert.deepEqual(ids(await records.list()), [note, song].sort());
  assert.deepEqual(ids(await records.list({ type: 'song' })), [song]);
  assert.deepEqual(await records.list({ type: 'other' }), []);
  assert.deepEqual(ids(await records.list({ creator: group.peerId, type: 'note' })), [note]);
  assert.deepEqual(await records.list({ creator: 'a'.repeat(52) }), []);
  await fails(records.list({ creator: 'me' }), 'invalid-peer-name');
  await fails(records.list({ kind: 'note' }), 'invalid-argument', /no option "kind"/);
});

test('search finds by every comparison, by joins and by the fields of every record', async () => {
  const day = (number) => new Date(Date.UTC(2026, 0, number));
  const add = (attributes) => records.add({ ...NOTE, attributes });
  const one = await add({ name: 'Ada', age: 36, on: day(1), tag: ['a', 'b'] });
  const two = await add({ name: 'Bob', age: 41, on: day(2), tag: ['b'] });
  const three = await add({ name: 'a*b?', age: 50, on: day(3) });
  const finds = async (criteria, ...expected) =>
    assert.deepEqual(
      ids(await records.search(criteria)),
      expected.sort(),
      JSON.stringify(criteria),
    );
  await finds({ attribute: 'name', is: 'Ada' }, one);
  await finds({ attribute: 'name', is: 'ada' });
  await finds({ attribute: 'age', is: '36' });
  await finds({ attribute: 'name', not: 'Ada' }, two, three);
  await finds({ attribute: 'tag', is: 'b' }, one, two);
  await finds({ attribute: 'name', like: '?*b?' }, three);
  await finds({ attribute: 'name', like: 'a\\*b\\?' }, three);
  await finds({ attribute: 'name', like: '*' }, one, two, three);
  await finds({ attribute: 'age', below: 41 }, one);
  await finds({ attribute: 'age', atMost: 41 }, one, two);
  await finds({ attribute: 'age', above: 41 }, three);
  await finds({ attribute: 'age', atLeast: 41 }, two, three);
  await finds({ attribute: 'age', atLeast: 40, below: 50 }, two);
  await finds({ attribute: 'on', atLeast: day(2) }, two, three);
  await finds(
    {
      or: [
        { attribute: 'name', is: 'Ada' },
        { attribute: 'age', is: 50 },
      ],
    },
    one,
    three,
  );
  await finds(
    {
      and: [
        { attribute: 'tag', is: 'b' },
        { attribute: 'tag', is: 'a' },
      ],
    },
    one,
  );
  await finds(
    {
      and: [
        {
          or: [
            { attribute: 'age', is: 36 },
            { attribute: 'age', is: 41 },
          ],
        },
        { attribute: 'name', not: 'Bob' },
      ],
    },
    one,
  );
  await finds({ attribute: 'peerrecordid', is: two }, two);
  await finds({ attribute: 'peercreatorid', is: group.peerId }, one, two, three);
  await finds({ attribute: 'peerrecordtype', is: 'note' }, one, two, three);
  await finds({ attribute: 'peercreationtime', above: day(1) }, one, two, three);
  await finds({ attribute: 'peercreationtime', above: new Date(Date.now() + DAY_MS) });
  await finds({ attribute: 'name', is: 'Ada', not: undefined }, one);
});

test('searches that are none say what to change', async () => {
  const clause = { attribute: 'a', is: 1 };
  const endless = { and: [] };
  endless.and.push(endless);
  const nested = (depth) => (depth === 0 ? clause : { and: [nested(depth - 1)] });
  const cases = [
    [undefined, /a search is/],
    [[clause], /a search is/],
    [{}, /"attribute" must be a string/],
    [{ attribute: 'a' }, /compared with nothing/],
    [{ attribute: 'a', iz: 1 }, /did you mean "is"/],
    [{ attribute: 'a', is: 0.5 }, /"is" must be/],
    [{ attribute: 'a', like: 5 }, /"like" must be a string/],
    [{ attribute: 7, is: 1 }, /"attribute" must be a string/],
    [{ and: [] }, /at least one/],
    [{ or: clause }, /needs a list/],
    [{ and: [clause], or: [clause] }, /"and" stands alone, without "or"/],
    [{ and: [clause], attribute: 'a' }, /stands alone/],
    [{ and: Array.from({ length: 257 }, () => clause) }, /clauses/],
    [nested(17), undefined],
    [endless, /itself/],
  ];
  for (const [criteria, words] of cases)
    await fails(records.search(criteria), 'invalid-search', words);
  assert.deepEqual(await records.search(nested(16)), []);
  assert.deepEqual(await records.search({ or: Array.from({ length: 256 }, () => clause) }), []);
});

test('record-changed says what happened, and filters by type', async () => {
  const heard = [];
  group.on('record-changed', ({ detail }) => heard.push(detail), { filter: 'note' });
  await records.add({ ...NOTE, type: 'song' });
  const id = await records.add(NOTE);
  await records.update(id, { data: bytes('x') });
  await records.delete(id);
  assert.deepEqual(
    heard,
    ['added', 'updated', 'deleted'].map((change) => ({ change, id, type: 'note' })),
  );
});

test('a record that ends is told as expired', async () => {
  const ended = new Promise((resolve) => {
    group.on('record-changed', ({ detail }) => detail.change === 'expired' && resolve(detail));
  });
  const id = await records.add({ type: 'note', expires: 40 });
  assert.deepEqual(await ended, { change: 'expired', id, type: 'note' });
  await fails(records.get(id), 'record-not-found');
});

test('events() keeps only the last of each record while nobody asks', async () => {
  const events = group.events('record-changed');
  const first = await records.add(NOTE);
  const second = await records.add(NOTE);
  const third = await records.add(NOTE);
  for (let round = 0; round < 3; round += 1) await records.update(first, { data: bytes('x') });
  await records.delete(second);
  const told = [];
  for (let count = 0; count < 3; count += 1) {
    const { value } = await events.next();
    told.push([value.detail.change, value.detail.id]);
  }
  assert.deepEqual(told, [
    ['added', first],
    ['deleted', second],
    ['added', third],
  ]);
  await records.update(first, { data: bytes('y') });
  await records.update(first, { data: bytes('z') });
  assert.equal((await events.next()).value.detail.change, 'updated');
  await events.return();
});

test('watch tells what is there, then each change', async () => {
  const there = await records.add({ ...NOTE, data: bytes('1') });
  await records.add({ ...NOTE, type: 'song' });
  const watching = records.watch({ type: 'note' });
  const next = async () => (await watching.next()).value;
  const text = ({ record }) => new TextDecoder().decode(record.data);
  const present = await next();
  assert.deepEqual([present.change, present.id, text(present)], ['present', there, '1']);
  const waiting = next();
  const id = await records.add(NOTE);
  assert.deepEqual(await waiting.then(({ change, id: of }) => [change, of]), ['added', id]);
  await records.update(there, { data: bytes('2') });
  await records.update(there, { data: bytes('3') });
  const changed = await next();
  assert.deepEqual([changed.change, changed.id, text(changed)], ['updated', there, '3']);
  await records.delete(there);
  assert.deepEqual(await next(), { change: 'deleted', id: there });
  // It came and went without anybody asking: there is nothing to tell of it.
  await records.delete(await records.add(NOTE));
  const last = await records.add(NOTE);
  assert.equal((await next()).id, last);
  const end = watching.next();
  assert.deepEqual(await watching.return(), { done: true, value: undefined });
  assert.deepEqual(await end, { done: true, value: undefined });
});

test('watch ends by its signal, by once, with its group; its options are checked', async () => {
  await records.add(NOTE);
  const stop = new AbortController();
  const signalled = records.watch({ signal: stop.signal });
  await signalled.next();
  const waiting = signalled.next();
  stop.abort();
  assert.equal((await waiting).done, true);
  const seen = [];
  for await (const { change } of records.watch({ once: true })) seen.push(change);
  assert.deepEqual(seen, ['present']);
  assert.equal((await records.watch({ signal: AbortSignal.abort() }).next()).done, true);
  const mine = records.watch({ creator: group.peerId, filter: 'note' });
  assert.equal((await mine.next()).value.change, 'present');
  const last = mine.next();
  assert.throws(() => records.watch({ typ: 'note' }), { message: /did you mean "type"/ });
  assert.throws(() => records.watch({ type: 'a', filter: 'b' }), { code: 'invalid-argument' });
  await group.close();
  assert.equal((await last).done, true);
  await fails(records.watch().next(), 'invalid-group');
});

test('watch loses nothing and doubles nothing while everything changes', async () => {
  const COUNT = 300;
  const model = new Map();
  const faults = [];
  let latest = 0;
  const stop = new AbortController();
  const kept = [];
  const storm = (async () => {
    const jobs = Array.from({ length: COUNT }, async (_, index) => {
      const id = await records.add({ ...NOTE, data: bytes(`${index}`) });
      if (index % 2 === 0) await records.update(id, { data: bytes(`${index}!`) });
      if (index % 3 === 0) await records.delete(id);
      else kept.push(id);
    });
    await Promise.all(jobs);
    return records.add({ ...NOTE, type: 'end' });
  })();
  for await (const { change, id, record } of records.watch({ signal: stop.signal })) {
    latest += 1;
    const known = model.get(id);
    if (change === 'present' || change === 'added') {
      if (known) faults.push(`${change} twice`);
      model.set(id, record.version);
    } else if (change === 'updated') {
      if (!(known < record.version)) faults.push(`updated from ${known} to ${record.version}`);
      model.set(id, record.version);
    } else if (!model.delete(id)) {
      faults.push('deleted what was not there');
    }
    if (record?.type === 'end') break;
    // Changes pile up while the app is busy with one.
    if (latest % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const end = await storm;
  assert.deepEqual(faults, []);
  const all = await records.list();
  assert.deepEqual([...model.keys()].sort(), [...kept, end].sort());
  for (const { id, version } of all) assert.equal(model.get(id), version);
});

test('however many are added at once, each is as it was when it was added', async () => {
  const COUNT = 5000;
  const data = new Uint8Array(4);
  const adding = Array.from({ length: COUNT }, (_, index) => {
    new DataView(data.buffer).setUint32(0, index);
    return records.add({ ...NOTE, data });
  });
  const added = await Promise.all(adding);
  const all = await records.list();
  assert.deepEqual(ids(all), added.sort());
  const numbers = all.map((record) => new DataView(record.data.buffer).getUint32(0));
  assert.deepEqual(
    numbers.sort((one, other) => one - other),
    [...adding.keys()],
  );
});

test('a closed handle refuses every call', async () => {
  const id = await records.add(NOTE);
  await group.close();
  for (const call of [
    () => records.add(NOTE),
    () => records.update(id, { data: bytes('x') }),
    () => records.delete(id),
    () => records.get(id),
    () => records.list(),
    () => records.search({ attribute: 'a', is: 1 }),
    () => group.exportDatabase(),
    () => group.importDatabase(bytes('x')),
  ])
    await fails(call(), 'invalid-group');
  assert.throws(() => group.peerTime(), { code: 'invalid-group' });
});

test('maxRecordSize and deferExpiration are chosen at create', async () => {
  const make = (more) => PeerGroup.create({ ...MEMORY, friendlyName: 'Small', ...more });
  const small = await make({ maxRecordSize: 1024, deferExpiration: true });
  open.push(small);
  await small.records.add({ ...NOTE, data: new Uint8Array(1024) });
  await fails(
    small.records.add({ ...NOTE, data: new Uint8Array(1025) }),
    'max-record-size-exceeded',
  );
  await fails(make({ maxRecordSize: 1023 }), 'invalid-group-properties', /maxRecordSize/);
  await fails(make({ maxRecordSize: 62_914_561 }), 'invalid-group-properties', /maxRecordSize/);
  await fails(make({ maxRecordSize: 2000.5 }), 'invalid-argument', /"maxRecordSize"/);
  await fails(make({ deferExpiration: 'yes' }), 'invalid-argument', /"deferExpiration"/);
});

test('what was exported is taken back; anything else is refused', async () => {
  const id = await records.add({ ...NOTE, data: bytes('kept') });
  const database = await group.exportDatabase();
  assert.ok(database instanceof Uint8Array && database.length > 0);
  await records.add(NOTE);
  await group.importDatabase(database);
  assert.equal(new TextDecoder().decode((await records.get(id)).data), 'kept');
  await fails(group.importDatabase(bytes('no database')), 'invalid-database');
  await fails(group.importDatabase(database.slice(0, -1)), 'invalid-database');
  await fails(group.importDatabase('text'), 'invalid-argument', /Uint8Array/);
  const other = await PeerGroup.create({ ...MEMORY, friendlyName: 'Other' });
  open.push(other);
  await fails(other.importDatabase(database), 'invalid-database');
});

test('peer time is a clock, and both conversions undo each other', () => {
  const [before, now, after_] = [Date.now(), group.peerTime().getTime(), Date.now()];
  assert.ok(now >= before && now <= after_, 'nobody else has told the time');
  const moment = new Date(1_700_000_000_000);
  assert.deepEqual(group.toUniversalTime(group.toPeerTime(moment)), moment);
  assert.throws(() => group.toPeerTime('now'), { code: 'invalid-argument' });
  assert.throws(() => group.toUniversalTime(new Date(Number.NaN)), { code: 'invalid-argument' });
});

test('a graph has records of its own, and may drop one here only', async () => {
  const graph = await PeerGraph.create({ ...MEMORY, graphId: 'records of a graph' });
  open.push(graph);
  const heard = [];
  graph.on('record-changed', ({ detail }) => heard.push(detail.change));
  const id = await graph.records.add({ ...NOTE, data: bytes('x') });
  assert.equal((await graph.records.get(id)).creator, graph.peerId);
  await graph.records.deleteLocal(id);
  await fails(graph.records.get(id), 'record-not-found');
  await fails(graph.records.deleteLocal('0'.repeat(32)), 'record-not-found');
  await graph.records.validateDeferred();
  await graph.records.validateDeferred([]);
  await fails(graph.records.validateDeferred('all'), 'invalid-argument');
  await fails(graph.records.validateDeferred(['x']), 'invalid-argument', /32 hexadecimal/);
  assert.equal('deleteLocal' in records, false);
  assert.deepEqual(heard.slice(0, 1), ['added']);
  const make = (more) => PeerGraph.create({ ...MEMORY, graphId: 'another', ...more });
  await fails(
    make({ security: { validateRecrod: () => 'accept' } }),
    'invalid-argument',
    /"validateRecord"/,
  );
  await fails(make({ security: { validateRecord: 1 } }), 'invalid-argument', /a function/);
  await fails(
    PeerGraph.open('another', { ...MEMORY, syncPrecedence: 'note' }),
    'invalid-argument',
    /"syncPrecedence"/,
  );
});
