//! The mark that every secret of a description carries, so that its bytes are found wherever they go.

/// Stands in user name, password, fingerprint and candidates of every fake description.
pub const MARK: &[u8] = b"TAINTED";

/// Whether bytes hold a part of a description in clear.
#[must_use]
pub fn is_tainted(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::net::{Secrets, candidate, describe};
    use peer_group::wire::codec::Wire as _;
    use peer_group::wire::description::Description;

    #[test]
    fn every_form_of_a_description_is_found() {
        let secrets = Secrets::new([7; 24]);
        let sdp = describe(&secrets, true);
        let compact = Description::parse(true, &sdp).unwrap();
        assert!(is_tainted(sdp.as_bytes()));
        assert!(is_tainted(&compact.to_bytes()));
        assert!(is_tainted(&compact.fingerprint));
        assert!(is_tainted(candidate(&secrets, 1, 5000).as_bytes()));
        assert!(!is_tainted(&[0; 64]));
    }
}
