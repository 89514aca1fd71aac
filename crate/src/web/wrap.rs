//! Secrets at rest: wrapped with an AES-GCM key that the browser made, keeps, and shows nobody.
//!
//! Who copies the database out of a profile, or reads it with a script that runs elsewhere, has nothing.
//! (A script in this very page may use the key as we do: nothing stored can keep it out.)

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::plain::put;

#[wasm_bindgen]
extern "C" {
    /// The part of a page's WebCrypto that is needed here.
    type Subtle;
    #[wasm_bindgen(method, catch, js_name = generateKey)]
    fn generate_key(
        this: &Subtle,
        algorithm: &Object,
        extractable: bool,
        uses: &Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn encrypt(
        this: &Subtle,
        algorithm: &Object,
        key: &JsValue,
        data: &Uint8Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn decrypt(
        this: &Subtle,
        algorithm: &Object,
        key: &JsValue,
        data: &Uint8Array,
    ) -> Result<Promise, JsValue>;
}

const ALGORITHM: &str = "AES-GCM";
const IV: usize = 12;

/// None: an insecure origin, where browsers have no WebCrypto.
fn subtle() -> Option<Subtle> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into()).ok()?;
    let subtle = Reflect::get(&crypto, &"subtle".into()).ok()?;
    subtle.is_object().then(|| subtle.unchecked_into())
}

/// A new key.
pub(super) async fn new_key() -> Result<JsValue, JsValue> {
    let algorithm = Object::new();
    put(&algorithm, "name", ALGORITHM);
    put(&algorithm, "length", 256u32);
    let uses = Array::of2(&"encrypt".into(), &"decrypt".into());
    let subtle = subtle().ok_or(JsValue::NULL)?;
    JsFuture::from(subtle.generate_key(&algorithm, false, &uses)?).await
}

/// A value as it is stored: the nonce, and what was sealed with it. It opens under that name only.
pub(super) async fn wrap(key: &JsValue, name: &str, value: &[u8]) -> Result<JsValue, JsValue> {
    let mut iv = [0; IV];
    getrandom::fill(&mut iv).map_err(|_| JsValue::NULL)?;
    let iv = Uint8Array::from(iv.as_slice());
    let subtle = subtle().ok_or(JsValue::NULL)?;
    let sealed = subtle.encrypt(&parameters(&iv, name), key, &Uint8Array::from(value));
    Ok(Array::of2(&iv, &JsFuture::from(sealed?).await?).into())
}

/// Whether a stored value is a wrapped one.
pub(super) fn is_wrapped(value: &JsValue) -> bool {
    value.is_array()
}

/// What was wrapped under that name. Without the key it fails, as with another one.
pub(super) async fn unwrap(key: &JsValue, name: &str, value: &JsValue) -> Result<Vec<u8>, JsValue> {
    let parts: &Array = value.unchecked_ref();
    let iv: Uint8Array = parts.get(0).dyn_into()?;
    let sealed = Uint8Array::new(&parts.get(1));
    let subtle = subtle().ok_or(JsValue::NULL)?;
    let opened = subtle.decrypt(&parameters(&iv, name), key, &sealed);
    Ok(Uint8Array::new(&JsFuture::from(opened?).await?).to_vec())
}

fn parameters(iv: &Uint8Array, name: &str) -> Object {
    let parameters = Object::new();
    put(&parameters, "name", ALGORITHM);
    put(&parameters, "iv", iv.clone());
    put(
        &parameters,
        "additionalData",
        Uint8Array::from(name.as_bytes()),
    );
    parameters
}
