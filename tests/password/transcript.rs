//! What the server and whoever else reads along has seen, searched with a list of words that has the right
//! password in it.

use std::cell::RefCell;

use peer_group::crypto::stretch::Cost;
use peer_group::crypto::{Primitives as _, REAL};
use peer_group::engine::input::Input;
use peer_group::error::Code;
use peer_group::names::{GroupId, Role};

use crate::{RIGHT, code, enter, hosted, member, world};

thread_local! {
    static SEEN: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

const WORDS: [&str; 4] = [
    "three green teacups",
    "four blue saucers",
    RIGHT,
    "one silver spoon",
];

/// What anybody can work out from a word and the invitation.
fn follows(group: GroupId, word: &str) -> Vec<Vec<u8>> {
    let salt = REAL.derive(&group.0, "password-salt", &[&1u32.to_be_bytes()]);
    let key = REAL.stretch(word.as_bytes(), &salt[..16], Cost::OURS);
    let key = key.expect("there is the memory");
    vec![
        word.as_bytes().to_vec(),
        key.to_vec(),
        REAL.hash(&[word.as_bytes()])[..32].to_vec(),
        REAL.hash(&[&key])[..32].to_vec(),
        REAL.public_key(&key).to_vec(),
        REAL.exchange_public(&key).to_vec(),
        REAL.element(&REAL.hash(&[&key])).to_vec(),
    ]
}

fn found(group: GroupId, seen: &[Vec<u8>]) -> Vec<&'static str> {
    let holds = |part: &Vec<u8>| {
        let mut all = seen.iter();
        all.any(|bytes| bytes.windows(part.len()).any(|at| at == &part[..]))
    };
    let words = WORDS.into_iter();
    words
        .filter(|word| follows(group, word).iter().any(holds))
        .collect()
}

/// A group is made and served, somebody comes by the link and is given the password to let others in, one
/// comes in by it and one with a wrong one is refused: all that passes through the server, in both
/// directions, and all that is shown to whoever does not come in.
#[test]
fn nothing_that_passes_through_the_server_tells_one_word_from_another() {
    let mut world = world(&REAL, 4);
    world.arrives = Some(|input| {
        if let Input::SocketReceived { bytes, .. } = input {
            SEEN.with_borrow_mut(|seen| seen.push(bytes.clone()));
        }
    });
    let text = hosted(&mut world);
    member(&mut world, 1, Role::InvitingMember);
    world.run_for(10_000);
    let online = enter(&mut world, 2, &text, RIGHT);
    assert!(online.is_ok(), "{online:?}");
    assert_eq!(
        code(enter(&mut world, 3, &text, WORDS[0])),
        Code::WrongPassword
    );
    let group = world.machines[0].app.group.expect("it is open");
    let mut seen = SEEN.take();
    // The refused one keeps nothing but what it came with.
    seen.push(text.into_bytes());
    seen.extend(world.machines[3].disk.values().cloned());
    println!("{} messages and stored values were searched", seen.len());
    assert!(seen.len() > 40, "there is little to search");
    assert_eq!(found(group, &seen), [""; 0]);
    // The same search finds the right word where something of it is shown.
    seen.push([&[0; 9], &follows(group, RIGHT)[3][..]].concat());
    assert_eq!(found(group, &seen), [RIGHT]);
}
