//! The options of TLS, proxies, and who may open a socket.

use std::path::PathBuf;

use super::kind::Kind;
use super::table::Row;
use crate::settings::{HookUrl, Network, PageOrigin, Settings, TlsFiles};

const TLS: &str = "TLS and proxies";
const ADMISSION: &str = "Who may connect";

/// The most proxies and origins.
const MOST: usize = 256;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::from(tls());
    rows.extend(admission());
    rows
}

/// What no single option can tell.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    match &settings.tls {
        Some(TlsFiles { certificate, key }) if certificate.as_os_str().is_empty() => {
            let key = key.display();
            Err(format!("--tls-key {key} needs --tls-certificate"))
        }
        Some(TlsFiles { certificate, key }) if key.as_os_str().is_empty() => {
            let certificate = certificate.display();
            Err(format!("--tls-certificate {certificate} needs --tls-key"))
        }
        _ => Ok(()),
    }
}

/// The files, begun if need be.
fn files(settings: &mut Settings) -> &mut TlsFiles {
    settings.tls.get_or_insert_with(|| TlsFiles {
        certificate: PathBuf::new(),
        key: PathBuf::new(),
    })
}

fn tls() -> [Row; 3] {
    [
        Row {
            name: "tls-certificate",
            value: "FILE",
            heading: TLS,
            help: "Speak TLS with this certificate and those behind it, in PEM; read again when \
                   the file changes",
            kind: Kind::One {
                set: |settings, text| {
                    files(settings).certificate = PathBuf::from(text);
                    Ok(())
                },
                show: |settings| shown_path(settings.tls.as_ref().map(|tls| &tls.certificate)),
            },
        },
        Row {
            name: "tls-key",
            value: "FILE",
            heading: TLS,
            help: "The key of the certificate, in PEM",
            kind: Kind::One {
                set: |settings, text| {
                    files(settings).key = PathBuf::from(text);
                    Ok(())
                },
                show: |settings| shown_path(settings.tls.as_ref().map(|tls| &tls.key)),
            },
        },
        Row {
            name: "trusted-proxy",
            value: "ADDR|NETWORK",
            heading: TLS,
            help: "A proxy whose X-Forwarded-For and X-Forwarded-Host are believed; may be \
                   repeated",
            kind: Kind::Many {
                most: MOST,
                set: |settings, all| {
                    let all: Result<_, _> = all.iter().map(|one| Network::parse(one)).collect();
                    settings.trusted_proxies = all?;
                    Ok(())
                },
                show: |settings| settings.trusted_proxies.iter().map(Network::text).collect(),
            },
        },
    ]
}

fn shown_path(path: Option<&PathBuf>) -> Option<String> {
    let path = path.filter(|path| !path.as_os_str().is_empty());
    path.map(|path| path.display().to_string())
}

fn admission() -> [Row; 3] {
    [
        Row {
            name: "allow-origin",
            value: "ORIGIN",
            heading: ADMISSION,
            help: "Pages of this origin may connect, and those of no other that is not named; may \
                   be repeated. Programs that are no browsers send no origin: see --token-file",
            kind: Kind::Many {
                most: MOST,
                set: |settings, all| {
                    let all: Result<_, _> = all.iter().map(|one| PageOrigin::parse(one)).collect();
                    settings.allowed_origins = all?;
                    Ok(())
                },
                show: |settings| {
                    let all = settings.allowed_origins.iter();
                    all.map(|origin| origin.text().to_owned()).collect()
                },
            },
        },
        Row {
            name: "token-file",
            value: "FILE",
            heading: ADMISSION,
            help: "Clients must show a token that stands in this file, one a line; read again when \
                   the file changes",
            kind: Kind::One {
                set: |settings, text| {
                    settings.token_file = Some(PathBuf::from(text));
                    Ok(())
                },
                show: |settings| shown_path(settings.token_file.as_ref()),
            },
        },
        Row {
            name: "token-hook",
            value: "URL",
            heading: ADMISSION,
            help: "Ask here whether a client may connect: POST of a JSON object with token, \
                   address, origin and host; a status of 200 to 299 lets it in, 401 or 403 does not",
            kind: Kind::One {
                set: |settings, text| {
                    settings.token_hook = Some(HookUrl::parse(text)?);
                    Ok(())
                },
                show: |settings| settings.token_hook.as_ref().map(HookUrl::text),
            },
        },
    ]
}
