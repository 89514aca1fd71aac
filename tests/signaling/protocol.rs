//! What clients do, as it goes over the wire.

use peer_group::crypto::{Primitives as _, REAL};
use peer_group::names::Topic;
use peer_group::wire::rendezvous::{
    ClientMessage, ErrorReason, RefusedReason, ServerMessage, resolve_signed_bytes,
};
use peer_group_signaling::rooms::Work;
use peer_group_signaling::server::{PublicUrl, Settings};

use crate::client::{Client, signal, tag};
use crate::engines::Engines;
use crate::served::{Served, error};

const KEY: [u8; 32] = [42; 32];
const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];

fn names(sample: &[peer_group::wire::rendezvous::Entry]) -> Vec<peer_group::names::Tag> {
    sample.iter().map(|entry| entry.tag).collect()
}

#[tokio::test]
async fn two_meet_talk_and_part() {
    let served = Served::start(Settings::default()).await;
    let mut a = Client::connect(served.address).await;
    let mut b = Client::connect(served.address).await;

    let join = a.join(&KEY, A);
    let ServerMessage::Joined {
        ttl_s: 60, sample, ..
    } = a.ask(&join).await
    else {
        panic!("not joined")
    };
    assert_eq!(names(&sample), []);

    let topic = Topic(REAL.public_key(&KEY));
    let signed = resolve_signed_bytes(topic, &b.origin, &b.challenge());
    let resolve = ClientMessage::Resolve {
        topic,
        signature: REAL.sign(&KEY, &signed),
        want: 16,
    };
    let ServerMessage::Peers { sample, .. } = b.ask(&resolve).await else {
        panic!("no peers")
    };
    assert_eq!(names(&sample), [tag(A)]);

    b.listen(B).await;
    b.tell(&signal(tag(A), &[7; 16_384])).await;
    let ServerMessage::Delivered { from, payload } = a.hear().await else {
        panic!("not delivered")
    };
    assert_eq!((from, &payload[..]), (tag(B), &[7; 16_384][..]));
    assert_eq!(a.ask(&ClientMessage::Ping {}).await, ServerMessage::Pong {});

    drop(a);
    assert_eq!(b.hear().await, ServerMessage::Gone { tag: tag(A) });
    let refused = ServerMessage::Refused {
        to: tag(A),
        reason: RefusedReason::Gone,
    };
    assert_eq!(b.ask(&signal(tag(A), b"?")).await, refused);
    let ServerMessage::Peers { sample, .. } = b.ask(&resolve).await else {
        panic!("no peers")
    };
    assert_eq!(names(&sample), []);
    served.stop().await;
}

#[tokio::test]
async fn a_newer_socket_supersedes_the_old_one_at_once() {
    let served = Served::start(Settings::default()).await;
    let mut friend = Client::connect(served.address).await;
    friend.listen(B).await;
    let mut old = Client::connect(served.address).await;
    old.listen(A).await;
    let mut new = Client::connect(served.address).await;
    new.listen(A).await;
    assert_eq!(old.hear().await, error(ErrorReason::Superseded));
    assert_eq!(old.close_code().await, 4001);
    // The end of the old socket reaches the server after all of this.
    drop(old);
    friend.tell(&signal(tag(A), b"hi")).await;
    assert!(matches!(new.hear().await, ServerMessage::Delivered { .. }));
}

#[tokio::test]
async fn a_join_is_good_on_its_own_connection_and_server_only() {
    let served = Served::start(Settings::default()).await;
    let port = served.address.port();
    let a = Client::connect(served.address).await;
    let mut b = Client::connect(served.address).await;
    let replayed = a.join(&KEY, A);
    assert_eq!(b.ask(&replayed).await, error(ErrorReason::Signature));

    // The same server under another name is another one, to those who sign.
    let mut local = Client::connect_as(served.address, &format!("LOCALHOST:{port}")).await;
    local.origin = served.address.to_string();
    let join = local.join(&KEY, A);
    assert_eq!(local.ask(&join).await, error(ErrorReason::Signature));
    local.origin = format!("localhost:{port}");
    let join = local.join(&KEY, A);
    assert!(matches!(
        local.ask(&join).await,
        ServerMessage::Joined { .. }
    ));
}

#[tokio::test]
async fn a_public_address_stands_for_whatever_a_proxy_dials() {
    let public = "rendezvous.example";
    let served = Served::start(Settings {
        public_url: Some(PublicUrl::parse("https://rendezvous.example").unwrap()),
        ..Settings::default()
    })
    .await;
    let mut client = Client::connect(served.address).await;
    let join = client.join(&KEY, A);
    assert_eq!(client.ask(&join).await, error(ErrorReason::Signature));
    client.origin = public.into();
    let join = client.join(&KEY, A);
    assert!(matches!(
        client.ask(&join).await,
        ServerMessage::Joined { .. }
    ));
}

#[tokio::test]
async fn what_is_no_message_ends_the_socket_with_words() {
    let served = Served::start(Settings::default()).await;
    let mut client = Client::connect(served.address).await;
    let twice = ClientMessage::Hello {
        version: 1,
        features: 0,
    };
    assert_eq!(client.ask(&twice).await, error(ErrorReason::Malformed));
    assert_eq!(client.close_code().await, 1002);
}

#[tokio::test]
async fn engines_work_where_they_are_asked_to_and_meet() {
    let mut settings = Settings::default();
    settings.rooms.limits.work = Work::Always(9);
    let served = Served::start(settings).await;
    let mut engines = Engines::new(&served.address.to_string());
    let invitation = engines.create().await;
    let (_, joined) = engines.join(&invitation, 10_000).await;
    joined.unwrap();
    assert!(engines.worked >= 2, "{} puzzles", engines.worked);
}
