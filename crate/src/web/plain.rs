//! Plain JavaScript objects from one table: the Rust struct, its TypeScript interface and the
//! conversion are written once.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;

/// What can be the value of a property.
pub(super) trait Plain {
    /// The value; None leaves the property out.
    fn plain(self) -> Option<JsValue>;
}

impl Plain for JsValue {
    fn plain(self) -> Option<JsValue> {
        Some(self)
    }
}

impl Plain for Uint8Array {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

impl Plain for String {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

impl Plain for &str {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

impl Plain for bool {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

impl Plain for f64 {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

/// Ids and counts: exact up to 2^53, which no counter of ours reaches.
impl Plain for u64 {
    fn plain(self) -> Option<JsValue> {
        Some((self as f64).into())
    }
}

impl Plain for u32 {
    fn plain(self) -> Option<JsValue> {
        Some(self.into())
    }
}

impl<T: Plain> Plain for Option<T> {
    fn plain(self) -> Option<JsValue> {
        self.and_then(Plain::plain)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn plain(self) -> Option<JsValue> {
        let array: Array = self.into_iter().filter_map(Plain::plain).collect();
        Some(array.into())
    }
}

/// Sets a property of an object that we made: that cannot fail.
pub(super) fn put(object: &Object, key: &str, value: impl Plain) {
    if let Some(value) = value.plain() {
        let _ = Reflect::set(object, &key.into(), &value);
    }
}

/// Declares plain objects. A row of a property: Rust name and type, then its JavaScript name, `":"`
/// or `"?:"`, and its TypeScript type.
macro_rules! plain {
    ($($(#[doc = $doc:literal])* $name:ident $(= $tag:literal)? {
        $($(#[doc = $field_doc:literal])*
          $field:ident: $type:ty => $key:literal $optional:literal $ts:literal,)*
    })*) => {$(
        $(#[doc = $doc])*
        pub(super) struct $name {
            $($(#[doc = $field_doc])* pub(super) $field: $type,)*
        }

        impl $crate::web::plain::Plain for $name {
            fn plain(self) -> Option<wasm_bindgen::JsValue> {
                let object = js_sys::Object::new();
                $($crate::web::plain::put(&object, "type", $tag);)?
                $($crate::web::plain::put(&object, $key, self.$field);)*
                Some(object.into())
            }
        }

        const _: () = {
            #[wasm_bindgen::prelude::wasm_bindgen(typescript_custom_section)]
            const TYPESCRIPT: &str = concat!(
                "\n", $("/**", $doc, " */\n",)*
                "export interface ", stringify!($name), " {\n",
                $("  readonly type: '", $tag, "';\n",)?
                $($("  /**", $field_doc, " */\n",)*
                "  readonly ", $key, $optional, " ", $ts, ";\n",)*
                "}\n"
            );
        };
    )*};
}

pub(super) use plain;
