// A test's hand on the records of a page: adds, changes, and waits for what is watched.

/** Runs in the page: remembers what is watched and what changed in group `name`. */
export function attend(name) {
  const { group } = globalThis.lab.subject(name);
  const attended = { group, records: group.records, watched: [], changed: [], failed: [] };
  globalThis.attended = attended;
  const waiting = new Set();
  const told = () => {
    for (const look of waiting) look();
  };
  group.on('record-changed', ({ detail }) => {
    attended.changed.push(detail);
    told();
  });
  group.on('storage-failed', ({ detail }) => {
    attended.failed.push(detail.code);
    told();
  });
  /** Resolves with what the function finds, once it finds something. */
  attended.when = (find) =>
    new Promise((resolve) => {
      const look = () => {
        const found = find(attended);
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  (async () => {
    for await (const { change, id, record } of group.records.watch()) {
      const text = record && new TextDecoder().decode(record.data);
      attended.watched.push({ change, id, text });
      told();
    }
  })();
}

export const watched = (page, change, id) =>
  page.run(
    (wanted, of) =>
      globalThis.attended.when(({ watched }) =>
        watched.find((one) => one.change === wanted && one.id === of),
      ),
    change,
    id,
  );
export const changes = (page, id) =>
  page.run(
    (of) => globalThis.attended.changed.filter((one) => one.id === of).map((one) => one.change),
    id,
  );
/** Adds a record; a refusal is an error with its code. */
export async function add(page, text, given = {}) {
  const { id, code } = await page.run(
    (data, more) =>
      globalThis.attended.records
        .add({
          type: 'note',
          data: new TextEncoder().encode(data),
          expires: 86_400_000,
          ...more,
        })
        .then(
          (added) => ({ id: added }),
          (error) => ({ code: error.code ?? String(error) }),
        ),
    text,
    given,
  );
  if (code) throw Object.assign(new Error(`records.add: ${code}`), { code });
  return id;
}
export const update = (page, id, text) =>
  page.run(
    (of, data) =>
      globalThis.attended.records.update(of, { data: new TextEncoder().encode(data) }).then(
        () => 'done',
        (error) => error.code,
      ),
    id,
    text,
  );
export const remove = (page, id) => page.run((of) => globalThis.attended.records.delete(of), id);
/** The texts of all records, or of those found. */
export const texts = (page, criteria) =>
  page.run(async (search) => {
    const { records } = globalThis.attended;
    const found = await (search ? records.search(search) : records.list({ type: 'note' }));
    return found.map(({ data }) => new TextDecoder().decode(data)).sort();
  }, criteria);
