// What Node's own WebCrypto does with signatures of messages as long as a record, on all it has.

const RECORD_BYTES = 420;
const COUNT = 64;
const WARM_UP_MS = 400;
const SAMPLE_MS = 200;
const SAMPLES = 7;

export async function rivals() {
  const { subtle } = globalThis.crypto;
  const items = [];
  for (let i = 0; i < COUNT; i++) {
    const { publicKey, privateKey } = await subtle.generateKey('Ed25519', true, ['sign', 'verify']);
    const message = crypto.getRandomValues(new Uint8Array(RECORD_BYTES));
    const signature = new Uint8Array(await subtle.sign('Ed25519', privateKey, message));
    const raw = new Uint8Array(await subtle.exportKey('raw', publicKey));
    items.push({ raw, message, signature });
  }
  // A record names its author by the bytes of a key: reading them in is part of the work.
  const verify = async ({ raw, message, signature }) => {
    const key = await subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
    if (!(await subtle.verify('Ed25519', key, signature, message))) throw new Error('not verified');
  };
  const oneByOne = async () => {
    for (const item of items) await verify(item);
  };
  const atOnce = () => Promise.all(items.map(verify));
  return [
    { what: 'WebCrypto, one by one', value: await perSecond(oneByOne), unit: 'per second' },
    { what: 'WebCrypto, 64 at once', value: await perSecond(atOnce), unit: 'per second' },
  ];
}

/** As `Stage::per_second`. */
async function perSecond(work) {
  const sample = async (span) => {
    const start = performance.now();
    for (let calls = 1; ; calls++) {
      await work();
      const passed = performance.now() - start;
      if (passed >= span) return (1000 * calls * COUNT) / passed;
    }
  };
  await sample(WARM_UP_MS);
  const samples = [];
  for (let i = 0; i < SAMPLES; i++) samples.push(await sample(SAMPLE_MS));
  return samples.sort((a, b) => a - b)[SAMPLES >> 1];
}
