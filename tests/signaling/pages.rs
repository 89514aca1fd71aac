//! Static files and the sign of life.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use peer_group::wire::rendezvous::PATH;
use peer_group_signaling::server::Settings;
use peer_group_signaling::settings::PageOrigin;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::soon;
use crate::served::Served;

/// A folder `www` with a page in it, beside a file that is nobody's business.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let www = folder.join("www");
        fs::create_dir_all(&www).unwrap();
        fs::write(folder.join("secret.txt"), "secret").unwrap();
        for (file, text) in [
            ("index.html", "<!doctype html>"),
            ("main.js", "export {};"),
            ("style.css", "p {}"),
            ("engine.wasm", "\0asm"),
            ("icon.svg", "<svg/>"),
        ] {
            fs::write(www.join(file), text).unwrap();
        }
        Self(folder)
    }

    fn www(&self) -> PathBuf {
        self.0.join("www")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Status, head and body of what is at `path`, to the letter.
pub(crate) async fn get(address: SocketAddr, path: &str, extra: &str) -> (u16, String, String) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{extra}\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", tcp.read_to_string(&mut answer))
        .await
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn files_come_with_their_type_and_headers_that_keep_them_in_bounds() {
    let folder = Folder::new("files");
    let served = Served::start(Settings {
        www: Some(folder.www()),
        ..Settings::default()
    })
    .await;
    for (path, mime) in [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/main.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/engine.wasm", "application/wasm"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let (status, head, _) = get(served.address, path, "").await;
        assert_eq!(status, 200, "{path}");
        assert!(!head.contains("access-control"), "{head}");
        assert!(!head.contains("strict-transport"), "{head}");
        for header in [
            "\r\ncross-origin-opener-policy: same-origin\r\n",
            "\r\ncross-origin-resource-policy: same-origin\r\n",
            "\r\npermissions-policy: camera=()",
            "\r\nreferrer-policy: no-referrer\r\n",
            &format!("\r\ncontent-type: {mime}\r\n"),
            "\r\nx-content-type-options: nosniff\r\n",
            "\r\ncache-control: no-cache\r\n",
            "script-src 'self' 'wasm-unsafe-eval';",
        ] {
            assert!(head.contains(header), "{path} lacks {header:?} in\n{head}");
        }
    }
    let (_, head, body) = get(served.address, "/main.js", "").await;
    assert_eq!(body, "export {};");
    // Unchanged files are not sent again.
    let modified = head
        .lines()
        .find(|line| line.starts_with("last-modified: "));
    let date = modified.unwrap().trim_start_matches("last-modified: ");
    let since = format!("If-Modified-Since: {date}\r\n");
    let (status, _, body) = get(served.address, "/main.js", &since).await;
    assert_eq!((status, body.as_str()), (304, ""), "{since}");
    served.stop().await;
}

#[tokio::test]
async fn pages_of_named_origins_may_read_and_others_may_not() {
    let folder = Folder::new("origins");
    let served = Served::start(Settings {
        www: Some(folder.www()),
        allowed_origins: vec![PageOrigin::parse("https://app.example").unwrap()],
        ..Settings::default()
    })
    .await;
    let (status, head, _) = get(
        served.address,
        "/main.js",
        "Origin: https://app.example\r\n",
    )
    .await;
    assert_eq!(status, 200);
    for header in [
        "\r\naccess-control-allow-origin: https://app.example\r\n",
        "\r\ncross-origin-resource-policy: cross-origin\r\n",
        "\r\nvary: Origin\r\n",
    ] {
        assert!(head.contains(header), "{header:?} is missing in\n{head}");
    }
    let (_, head, _) = get(
        served.address,
        "/main.js",
        "Origin: https://evil.example\r\n",
    )
    .await;
    assert!(!head.contains("access-control"), "{head}");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let folder = Folder::new("outside");
    let served = Served::start(Settings {
        www: Some(folder.www()),
        ..Settings::default()
    })
    .await;
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/.%2e%5csecret.txt",
        "/x/../../secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/nothing.html",
    ] {
        let (status, _, body) = get(served.address, path, "").await;
        assert!((400..500).contains(&status), "{path} gave {status}");
        assert!(
            !body.contains("secret") && !body.contains("root:"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn without_pages_it_says_what_it_is_and_that_it_lives() {
    let served = Served::start(Settings::default()).await;
    let (status, _, body) = get(served.address, "/healthz", "").await;
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    let (status, _, body) = get(served.address, "/", "").await;
    assert_eq!(status, 200);
    assert!(body.contains("rendezvous server"), "{body}");
    assert_eq!(get(served.address, "/main.js", "").await.0, 404);
    let (status, _, body) = get(served.address, PATH, "").await;
    assert_eq!(status, 426);
    assert!(body.contains("WebSocket"), "{body}");
}
