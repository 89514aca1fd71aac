//! What guessing costs: so many runs at each member, so many wrong passwords in a group, then work.

use std::collections::BTreeMap;

use peer_group::crypto::FAKE;
use peer_group::engine::command::Command;
use peer_group::error::Code;
use peer_group::names::{RequestId, Role};
use peer_group::record::model::{Data, TypeName};
use peer_group::record::reserved::{GUESS, id_half};
use peer_group::wire::codec::Wire as _;
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::forger::frame_of;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use crate::{RIGHT, come, enter, give, hosted, member, told_wrong, world};

const HOUR_MS: u64 = 3_600_000;
/// Who may let others in by the password.
const HOLDERS: usize = 10;
const ATTACKERS: std::ops::Range<usize> = HOLDERS..HOLDERS + 5;
const HONEST: usize = HOLDERS + 5;

/// Machines that try one word after the other, as fast as they are answered.
#[derive(Default)]
struct Attack {
    under_way: BTreeMap<usize, RequestId>,
    words: usize,
}

impl Attack {
    fn go_on(&mut self, world: &mut World) {
        for machine in ATTACKERS {
            let last = self.under_way.get(&machine);
            if last.is_some_and(|of| !world.machines[machine].app.answers.contains_key(of)) {
                continue;
            }
            self.words += 1;
            let word = format!("word number {} of my list", self.words);
            assert!(give(world, machine, &word).is_ok());
            let handle = world.machines[machine].app.handle();
            let connect = Command::Connect {
                handle,
                timeout_ms: 20_000,
                addresses: Vec::new(),
            };
            let request = world.command(machine, connect).unwrap();
            self.under_way.insert(machine, request);
        }
        world.run_for(500);
        world.require_sound();
    }

    fn told_wrong(world: &World) -> usize {
        ATTACKERS.map(|machine| told_wrong(world, machine)).sum()
    }
}

/// Ten who let others in, attackers with the invitation, and somebody honest.
fn besieged() -> World {
    let mut world = world(&FAKE, HONEST + 1);
    let text = hosted(&mut world);
    for holder in 1..HOLDERS {
        member(&mut world, holder, Role::InvitingMember);
    }
    world.run_for(20_000);
    for machine in ATTACKERS {
        assert!(come(&mut world, machine, &text, "word zero of my list").is_ok());
        world.machines[machine].idle = true;
    }
    world.start(HONEST);
    world.invitations.push(text);
    world
}

fn honest_comes_in(world: &mut World, attack: &mut Attack) {
    let text = world.invitations.last().unwrap().clone();
    let joined = come(world, HONEST, &text, RIGHT);
    assert!(joined.is_ok(), "{joined:?}");
    world.trust(HONEST);
    let handle = world.machines[HONEST].app.handle();
    let connect = Command::Connect {
        handle,
        timeout_ms: 120_000,
        addresses: Vec::new(),
    };
    let request = world.command(HONEST, connect).unwrap();
    while !world.machines[HONEST].app.answers.contains_key(&request) {
        attack.go_on(world);
    }
    let answer = &world.machines[HONEST].app.answers[&request];
    assert!(answer.is_ok(), "{answer:?}");
}

#[test]
fn an_hour_of_guessing_at_ten_members_gives_twenty_guesses_and_one_for_each() {
    let mut world = besieged();
    let mut attack = Attack::default();
    let end = world.now + HOUR_MS;
    while world.now < end {
        attack.go_on(&mut world);
    }
    let guesses = Attack::told_wrong(&world);
    println!("guesses in an hour at {HOLDERS} members, without work: {guesses}");
    assert!(guesses <= 20 + HOLDERS, "{guesses}");
    assert!(guesses >= 20, "{guesses}: they did not even try");
    // Whoever knows the password works for a moment and is in, while they go on.
    honest_comes_in(&mut world, &mut attack);
}

/// Those who do the work take every run that there is: still nobody is locked out.
#[test]
fn who_knows_the_password_comes_in_among_those_who_work_for_their_guesses() {
    let mut world = besieged();
    let mut attack = Attack::default();
    for machine in ATTACKERS {
        world.machines[machine].idle = false;
    }
    let end = world.now + 120_000;
    while world.now < end {
        attack.go_on(&mut world);
    }
    let guesses = Attack::told_wrong(&world);
    let worked: usize = ATTACKERS
        .map(|machine| world.machines[machine].worked)
        .sum();
    println!("guesses in two minutes: {guesses}, worked for: {worked}");
    assert!(guesses > 20 + HOLDERS, "{guesses}: there was no pressure");
    assert!(guesses <= 20 + HOLDERS + worked, "{guesses} for {worked}");
    honest_comes_in(&mut world, &mut attack);
}

#[test]
fn who_comes_too_often_is_told_when_to_come_again() {
    let mut world = world(&FAKE, 6);
    let text = hosted(&mut world);
    for guest in 1..4 {
        let refused = enter(&mut world, guest, &text, "three green teacups");
        assert_eq!(crate::code(refused), Code::WrongPassword);
    }
    assert!(come(&mut world, 4, &text, "three green teacups").is_ok());
    let error = world.connect_within(4, 3_000).unwrap_err();
    assert_eq!(error.code, Code::RateLimited);
    let wait = error.retry_after.unwrap();
    assert!((1..=10_000).contains(&wait), "{wait}");
    // It asks again by itself while it may: the right one is in as soon as there is a run.
    assert!(come(&mut world, 5, &text, RIGHT).is_ok());
    world.trust(5);
    let online = world.connect(5);
    assert!(online.is_ok(), "{online:?}");
}

/// What members tell one another about wrong passwords is not for apps.
#[test]
fn apps_see_nothing_of_what_is_written_down() {
    use peer_group::engine::event::{Answer, Event};
    let mut world = world(&FAKE, 3);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::InvitingMember);
    let refused = enter(&mut world, 2, &text, "three green teacups");
    assert_eq!(crate::code(refused), Code::WrongPassword);
    world.run_for(5_000);
    for machine in [0, 1] {
        let handle = world.machines[machine].app.handle();
        let list = Command::ListRecords {
            handle,
            kind: None,
            creator: None,
        };
        assert_eq!(world.ask(machine, list), Ok(Answer::Records(Vec::new())));
        let mut heard = world.machines[machine].heard.iter();
        assert!(heard.all(|(_, event)| !matches!(event, Event::RecordChanged { .. })));
    }
}

/// Somebody between reads a joiner's message 1 to the member once more.
#[test]
fn a_message_said_again_is_not_answered() {
    use peer_group::engine::input::Input;
    use std::cell::RefCell;
    thread_local! {
        static HEARD: RefCell<Vec<Input>> = const { RefCell::new(Vec::new()) };
    }
    let mut world = world(&FAKE, 2);
    let text = hosted(&mut world);
    world.arrives = Some(|input| {
        if let Input::SocketReceived { bytes, .. } = input
            // A delivered signal: the sender's tag, its length, then version 1, Initiate, Password.
            && bytes.first() == Some(&5)
            && bytes.windows(3).take(24).any(|at| at == [1, 1, 4])
        {
            HEARD.with_borrow_mut(|all| all.push(input.clone()));
        }
    });
    let refused = enter(&mut world, 1, &text, "three green teacups");
    assert_eq!(crate::code(refused), Code::WrongPassword);
    let heard = HEARD.take();
    assert_eq!(heard.len(), 1, "one message 1 came to the member");
    world.run_for(1_000);
    world.trace.keep();
    let before = world.trace.lines.len();
    for _ in 0..3 {
        world.input(0, heard[0].clone());
    }
    let said = &world.trace.lines[before..];
    assert!(
        said.iter().any(|line| line.contains("SocketReceived")),
        "it was heard"
    );
    assert!(
        said.iter().all(|line| !line.contains("SendSocket")),
        "{said:?}"
    );
}

/// Who may let nobody in is asked by nobody: what it writes down counts for nothing, and what says more
/// than there is to say convicts it.
#[test]
fn a_plain_member_cannot_make_others_work() {
    let mut options = Options::plain(5, &FAKE, 3);
    options.hostile = Some((1, Vec::new()));
    let mut world = World::new(options);
    let text = hosted(&mut world);
    member(&mut world, 1, Role::Member);
    world.run_for(10_000);
    let forger = world.forger(1).unwrap();
    let mut dice = Dice::new(5, "guesses");
    let wall = world.wall();
    let mut guess = |data: &[u8]| {
        let mut body = forger.own(&mut dice, wall);
        body.kind = TypeName::new(GUESS).unwrap();
        // In the name of its creator, as records of that type are called.
        body.id.0[..8].copy_from_slice(&id_half(&FAKE, GUESS, body.creator));
        body.data = Data::new(data.to_vec()).unwrap();
        body.expires = body.created.ms() + HOUR_MS;
        forger.sign(body).to_bytes()
    };
    let many: Vec<Vec<u8>> = (0..40).map(|_| guess(&[])).collect();
    let wrong = guess(&[1]);
    assert!(world.say_as_liar(0, frame_of(many)));
    world.run_for(1_000);
    assert_eq!(world.neighbor_count(0), 1, "it is no fault to say so");
    let online = enter(&mut world, 2, &text, RIGHT);
    assert!(online.is_ok(), "{online:?}");
    assert_eq!(world.machines[2].worked, 0);
    assert!(world.say_as_liar(0, frame_of([wrong])));
    world.run_for(1_000);
    let liar = world.machines[1].app.peer;
    let mut links = world.machines[0].app.connections.values();
    assert!(links.all(|(_, link)| Some(link.peer.unwrap()) != liar));
}
