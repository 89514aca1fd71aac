//! TLS by the server itself: what it takes, what it refuses, and new certificates.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use peer_group_signaling::server::{Server, Settings, StartError};
use peer_group_signaling::settings::TlsFiles;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, request, soon, tag};
use crate::served::Served;

/// A folder with a certificate for `localhost` and its key.
struct Folder {
    path: PathBuf,
    /// Trusted by clients, oldest first.
    certificates: Vec<CertificateDer<'static>>,
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        let mut folder = Self {
            path,
            certificates: Vec::new(),
        };
        folder.renew();
        folder
    }

    /// Writes another certificate in place of the last.
    fn renew(&mut self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let TlsFiles { certificate, key } = self.files();
        fs::write(key, signing_key.serialize_pem()).unwrap();
        fs::write(certificate, cert.pem()).unwrap();
        self.certificates.push(cert.der().clone());
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path.join("certificate.pem"),
            key: self.path.join("key.pem"),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            tls: Some(self.files()),
            look_every: Duration::from_millis(20),
            ..Settings::default()
        }
    }

    async fn dial(&self, server: SocketAddr) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        soon("a handshake of TLS", connector.connect(name, tcp))
            .await
            .unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// A client over TLS.
async fn connect(folder: &Folder, server: SocketAddr) -> Client<TlsStream<TcpStream>> {
    let host = format!("localhost:{}", server.port());
    let stream = folder.dial(server).await;
    Client::greet(stream, request(&host), &host).await
}

#[tokio::test]
async fn clients_meet_over_tls_and_a_new_certificate_ends_no_connection() {
    let mut folder = Folder::new("tls-renewed");
    let served = Served::start(folder.settings()).await;
    let mut a = connect(&folder, served.address).await;
    let join = a.join(&[42; 32], [1; 32]);
    assert!(matches!(a.ask(&join).await, ServerMessage::Joined { .. }));

    folder.renew();
    let [old, new] = &folder.certificates[..] else {
        panic!("two certificates")
    };
    assert_ne!(old, new);
    // It is looked at every 20 ms; until then the old one is shown.
    let renewed = async {
        loop {
            let seen = shown(&folder.dial(served.address).await);
            if seen == *new {
                return;
            }
            assert_eq!(seen, *old);
        }
    };
    soon("the new certificate", renewed).await;
    let mut b = connect(&folder, served.address).await;
    b.listen([2; 32]).await;
    b.tell(&crate::client::signal(tag([1; 32]), b"hello")).await;
    assert!(matches!(a.hear().await, ServerMessage::Delivered { .. }));

    // A broken one is not used.
    fs::write(folder.files().certificate, "nonsense").unwrap();
    let mut c = connect(&folder, served.address).await;
    assert_eq!(c.ask(&ClientMessage::Ping {}).await, ServerMessage::Pong {});
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_and_turn_is_taken_in_it() {
    let folder = Folder::new("tls-plain");
    let served = Served::start(folder.settings()).await;
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Closed with the request unread, the system may take the last of it back.
    let _ = soon("an answer", tcp.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("This port speaks TLS"), "{answer:?}");

    let mut stream = folder.dial(served.address).await;
    // A Binding request of STUN, and the head of its answer.
    let mut binding = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    binding.extend([7; 12]);
    stream.write_all(&binding).await.unwrap();
    let mut head = [0; 20];
    soon("an answer of STUN", stream.read_exact(&mut head))
        .await
        .unwrap();
    assert_eq!((&head[..2], &head[8..]), (&[1, 1][..], &[7; 12][..]));

    let mut client = connect(&folder, served.address).await;
    client.listen([1; 32]).await;
    let ServerMessage::Turn { urls, .. } = client.ask(&ClientMessage::Turn {}).await else {
        panic!("no TURN")
    };
    let url = format!("turns:localhost:{}?transport=tcp", served.address.port());
    assert!(urls.iter().any(|one| **one == *url), "{urls:?}");
}

#[tokio::test]
async fn files_that_do_not_go_together_are_named() {
    let folder = Folder::new("tls-files");
    let other = Folder::new("tls-files-other");
    let start = async |files: TlsFiles| {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: Some(files),
            ..Settings::default()
        };
        match Server::bind(settings).await {
            Err(StartError::Tls(words)) => StartError::Tls(words).to_string(),
            _ => panic!("it started"),
        }
    };
    let TlsFiles { certificate, key } = folder.files();
    let mixed = TlsFiles {
        certificate: certificate.clone(),
        key: other.files().key,
    };
    assert!(start(mixed).await.contains("do not go together"));
    let swapped = TlsFiles {
        certificate: key.clone(),
        key: certificate.clone(),
    };
    assert!(start(swapped).await.contains("no certificate in it"));
    let missing = TlsFiles {
        certificate,
        key: PathBuf::from("/no/such/key"),
    };
    let words = start(missing).await;
    assert!(
        words.contains("/no/such/key") && words.contains("--tls-key"),
        "{words}"
    );
}
