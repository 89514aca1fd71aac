//! Reads the import section of a wasm module: what it asks of its host.

/// One import: the module it comes from, and its name.
pub(crate) type Import = (String, String);

const IMPORT_SECTION: u8 = 2;
const TOO_SHORT: &str = "the wasm module ends early";

/// The imports of `module`, in order.
pub(crate) fn imports(module: &[u8]) -> Result<Vec<Import>, String> {
    let mut bytes = Bytes(
        module
            .strip_prefix(b"\0asm\x01\0\0\0")
            .ok_or("not a wasm module")?,
    );
    while !bytes.0.is_empty() {
        let section = bytes.byte()?;
        let length = bytes.number()?;
        let body = bytes.take(length)?;
        if section == IMPORT_SECTION {
            return read_section(Bytes(body));
        }
    }
    Ok(Vec::new())
}

fn read_section(mut bytes: Bytes<'_>) -> Result<Vec<Import>, String> {
    let count = bytes.number()?;
    let mut found = Vec::new();
    for _ in 0..count {
        found.push((bytes.text()?, bytes.text()?));
        match bytes.byte()? {
            0 => bytes.number().map(drop)?,
            1 => {
                bytes.byte()?;
                bytes.limits()?;
            }
            2 => bytes.limits()?,
            3 => bytes.take(2).map(drop)?,
            4 => bytes.take(1).and_then(|_| bytes.number()).map(drop)?,
            kind => return Err(format!("unknown kind of import: {kind}")),
        }
    }
    Ok(found)
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1)?
            .first()
            .copied()
            .ok_or_else(|| TOO_SHORT.to_owned())
    }

    /// LEB128, as wasm writes lengths.
    fn number(&mut self) -> Result<usize, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|error| error.to_string());
            }
        }
        Err("a number in the wasm module is too long".to_owned())
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.number()?;
        let text = self.take(length)?.to_vec();
        String::from_utf8(text).map_err(|error| error.to_string())
    }

    fn limits(&mut self) -> Result<(), String> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(section: &[u8]) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([1, 4, 1, 0x60, 0, 0]); // one type: () -> ()
        bytes.push(IMPORT_SECTION);
        bytes.push(section.len() as u8);
        bytes.extend(section);
        bytes
    }

    #[test]
    fn functions_and_memories_are_named() {
        let section = b"\x02\x03env\x01f\x00\x00\x01m\x06memory\x02\x01\x01\x02";
        let found = imports(&module(section)).unwrap();
        assert_eq!(
            found,
            [("env".into(), "f".into()), ("m".into(), "memory".into())] as [Import; 2]
        );
    }

    #[test]
    fn a_module_without_imports_has_none() {
        assert_eq!(imports(b"\0asm\x01\0\0\0").unwrap(), []);
    }

    #[test]
    fn cut_modules_are_refused() {
        let whole = module(b"\x01\x03env\x01f\x00\x00");
        assert!(imports(&whole).is_ok());
        for end in [0, 7, 15, 18, whole.len() - 1] {
            assert!(imports(&whole[..end]).is_err(), "cut at {end}");
        }
    }
}
