//! The role table: who may do what, what the own engine refuses, and that members refuse it all the
//! same when a changed program signs and sends it.

use peer_group::crypto::REAL;
use peer_group::engine::command::{Command, EndCall, NewInvitation, PropertiesChange, Revoke};
use peer_group::engine::event::Answer;
use peer_group::error::{Code, Error};
use peer_group::group::Control;
use peer_group::group::credential::{Body as Claim, Credential, How, Revoked};
use peer_group::group::identity::Identity;
use peer_group::group::properties::SignedProperties;
use peer_group::names::{PeerId, RecordId, Role};
use peer_group::random::Random;
use peer_group::record::model::{Body, Change, Data, Record};
use peer_group::wire::codec::{Bytes, List, Text, Wire as _};
use peer_group::wire::link::Frame;
use peer_group::wire::numbers::record;
use peer_group::wire::seconds::Seconds;
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::forger::{Forger, frame_of};
use peer_group_tests::sim::hostile::Hostile;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

use super::issuing::{add, change, everywhere, group_in, has, invite, issue, read, to};
use super::{code, peer};

const ROLES: [Role; 3] = [Role::Admin, Role::InvitingMember, Role::Member];
const HOUR_S: u64 = 3_600;
/// Machines: the creator, who has the changed program, and an honest member.
const LIAR: usize = 1;
const HONEST: [usize; 2] = [0, 2];

/// A group with a member of that role whose program can be told what to say.
struct Scene {
    world: World,
    forger: Forger,
    dice: Dice,
}

impl Scene {
    fn new(role: Role) -> Self {
        let mut world = World::new(Options::plain(7, &REAL, 5));
        world.hostile = Some(Hostile::new(7, LIAR, Vec::new()));
        group_in(&mut world, &[(role, None), (Role::Member, None)]);
        let forger = world.forger(LIAR).unwrap();
        let dice = Dice::new(7, "changed program");
        Self {
            world,
            forger,
            dice,
        }
    }

    /// It says something to every honest member.
    fn say(&mut self, frame: &Frame) {
        for machine in HONEST {
            let said = self.world.say_as_liar(machine, frame.clone());
            assert!(said, "it is not linked with machine {machine}");
        }
        self.world.run_for(3_000);
    }

    fn tell(&mut self, items: Vec<Control>) {
        let items = items
            .iter()
            .map(|item| Bytes::new(item.to_bytes()).unwrap());
        let items = List::first(items.collect());
        self.say(&Frame::Control { items });
    }

    fn claim(&self, body: Claim) -> Control {
        let credential = Credential::sign(
            self.forger.crypto,
            self.forger.group,
            &self.forger.seed,
            body,
        );
        Control::Credential { credential }
    }

    fn now(&self) -> Seconds {
        Seconds(self.world.wall() / 1000)
    }

    /// A membership that it signs for somebody.
    fn membership(&mut self, who: &Identity, role: Role) -> Control {
        let serial = self.dice.bytes();
        self.claim(Claim::Membership {
            subject: who.peer(self.forger.crypto),
            sealing: who.sealing_key(self.forger.crypto),
            role,
            from: self.now(),
            until: Seconds::NEVER,
            issuer: self.forger.peer.0,
            serial,
        })
    }

    /// A new record of somebody's, signed by that person.
    fn note(&mut self, who: &Identity) -> Record {
        let wall = self.world.wall();
        let creator = who.peer(self.forger.crypto);
        let body = self.forger.body(&mut self.dice, creator, wall);
        let body = Body {
            expires: wall + HOUR_S * 1000,
            ..body
        };
        self.signed(body, &who.seed)
    }

    fn signed(&self, body: Body, seed: &[u8; 32]) -> Record {
        Record::sign(self.forger.crypto, self.forger.group, seed, body)
    }

    /// The next version of somebody else's record, signed by whoever has the seed.
    fn change_of(&mut self, id: RecordId, by: PeerId, seed: &[u8; 32], deletes: bool) -> Record {
        let handle = self.world.machines[0].app.handle();
        let engine = self.world.machines[0].engine();
        let old = engine.held(handle, id).unwrap().unwrap().body.clone();
        let at = old.modified().next(self.world.wall());
        let version = old.version() + 1;
        let mut body = Body {
            change: Change::ByOther {
                version,
                at,
                peer: by,
            },
            data: Data::new(b"changed".to_vec()).unwrap(),
            ..old
        };
        if deletes {
            body.flags = record::DELETED;
            body.data = Data::default();
            body.attributes = Default::default();
        }
        self.signed(body, seed)
    }

    fn linked(&self) -> bool {
        HONEST.iter().all(|at| self.world.neighbor_count(*at) == 2)
    }
}

fn somebody(number: u8) -> Identity {
    Identity::new(&mut Random::new([number; 32]), 0)
}

fn gone(world: &mut World, machine: usize, id: RecordId) -> bool {
    read(world, machine, id).is_err()
}

#[test]
fn everybody_publishes_and_changes_its_own() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        let world = &mut scene.world;
        let id = add(world, LIAR, HOUR_S).unwrap();
        everywhere(world, 3, id, b"data");
        assert_eq!(change(world, LIAR, id), Ok(Answer::Done));
        everywhere(world, 3, id, b"changed");
        let handle = world.machines[LIAR].app.handle();
        let deleted = world.ask(LIAR, Command::DeleteRecord { handle, id });
        assert_eq!(deleted, Ok(Answer::Done));
        world.run_for(3_000);
        assert!((0..3).all(|machine| gone(world, machine, id)), "{role:?}");
    }
}

#[test]
fn admins_alone_change_and_delete_what_others_published() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        let may = role == Role::Admin;
        let id = add(&mut scene.world, 2, HOUR_S).unwrap();
        everywhere(&mut scene.world, 3, id, b"data");
        // By its own engine.
        let changed = change(&mut scene.world, LIAR, id);
        assert_eq!(changed.is_ok(), may, "{role:?}: {changed:?}");
        if let Err(error) = changed {
            assert_eq!(error.code, Code::NotAuthorized);
        }
        let handle = scene.world.machines[LIAR].app.handle();
        if !may {
            let deleted = scene.world.ask(LIAR, Command::DeleteRecord { handle, id });
            assert_eq!(code(deleted), Code::NotAuthorized);
        }
        // By a changed one.
        let id = add(&mut scene.world, 2, HOUR_S).unwrap();
        everywhere(&mut scene.world, 3, id, b"data");
        let (liar, seed) = (scene.forger.peer, scene.forger.seed);
        let changed = scene.change_of(id, liar, &seed, false);
        scene.say(&frame_of([changed.to_bytes()]));
        for machine in HONEST {
            let data: &[u8] = if may { b"changed" } else { b"data" };
            assert!(has(&mut scene.world, machine, id, data), "{role:?}");
        }
        let deleted = scene.change_of(id, liar, &seed, true);
        scene.say(&frame_of([deleted.to_bytes()]));
        for machine in HONEST {
            assert_eq!(gone(&mut scene.world, machine, id), may, "{role:?}");
        }
        // Others may have known it with another role: that convicts nobody.
        assert!(scene.linked());
        scene.world.require_sound();
    }
}

#[test]
fn nobody_gives_a_role_that_the_own_one_does_not_reach() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        for (number, given) in (1..).zip(ROLES) {
            let may = match role {
                Role::Admin => true,
                Role::InvitingMember => given != Role::Admin,
                Role::Member => false,
            };
            let what = format!("{role:?} gives {given:?}");
            // By its own engine.
            let invited = invite(&mut scene.world, LIAR, given);
            assert_eq!(invited.is_ok(), may, "{what}: {invited:?}");
            if let Err(error) = invited {
                assert_eq!(error.code, Code::NotAuthorized, "{what}");
            }
            // By a changed one: whoever it makes a member writes, and changes what others wrote.
            let who = somebody(number);
            let membership = scene.membership(&who, given);
            scene.tell(vec![membership]);
            let note = scene.note(&who);
            scene.say(&frame_of([note.to_bytes()]));
            for machine in HONEST {
                let taken = !gone(&mut scene.world, machine, note.body.id);
                assert_eq!(taken, may, "{what}, at machine {machine}");
            }
            let id = add(&mut scene.world, 2, HOUR_S).unwrap();
            everywhere(&mut scene.world, 3, id, b"data");
            let by = who.peer(scene.forger.crypto);
            let changed = scene.change_of(id, by, &who.seed, false);
            scene.say(&frame_of([changed.to_bytes()]));
            let may_change = may && given == Role::Admin;
            for machine in HONEST {
                let is_changed = has(&mut scene.world, machine, id, b"changed");
                assert_eq!(is_changed, may_change, "{what}, at machine {machine}");
            }
        }
        assert!(scene.linked());
        scene.world.require_sound();
    }
}

#[test]
fn nobody_promotes_itself() {
    for role in [Role::InvitingMember, Role::Member] {
        let mut scene = Scene::new(role);
        let own = scene.world.identity(LIAR).unwrap();
        let promotion = scene.membership(&own, Role::Admin);
        // And by way of somebody who is not there.
        let helper = somebody(9);
        let made = scene.membership(&helper, Role::Admin);
        let by_helper = Claim::Membership {
            subject: scene.forger.peer,
            sealing: own.sealing_key(&REAL),
            role: Role::Admin,
            from: scene.now(),
            until: Seconds::NEVER,
            issuer: helper.peer(&REAL).0,
            serial: [9; 8],
        };
        let credential = Credential::sign(&REAL, scene.forger.group, &helper.seed, by_helper);
        scene.tell(vec![promotion, made, Control::Credential { credential }]);
        let id = add(&mut scene.world, 2, HOUR_S).unwrap();
        everywhere(&mut scene.world, 3, id, b"data");
        let changed = scene.change_of(id, own.peer(&REAL), &own.seed, false);
        scene.say(&frame_of([changed.to_bytes()]));
        for machine in HONEST {
            assert!(has(&mut scene.world, machine, id, b"data"), "{role:?}");
        }
    }
}

#[test]
fn admins_alone_issue_credentials_to_members() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        let member = peer(&scene.world, 2);
        let issued = issue(&mut scene.world, LIAR, to(member));
        match role {
            Role::Admin => assert!(issued.is_ok(), "{issued:?}"),
            _ => assert_eq!(issued.unwrap_err().code, Code::NotAuthorized),
        }
    }
}

#[test]
fn the_group_key_alone_sets_properties() {
    // An admin is not the creator.
    let mut scene = Scene::new(Role::Admin);
    let set = |world: &mut World, machine: usize| {
        let handle = world.machines[machine].app.handle();
        let change = PropertiesChange {
            friendly_name: Some("mine".to_owned()),
            ..PropertiesChange::default()
        };
        world.ask(machine, Command::SetProperties { handle, change })
    };
    assert_eq!(code(set(&mut scene.world, LIAR)), Code::NotAuthorized);
    assert_eq!(code(set(&mut scene.world, 2)), Code::NotAuthorized);
    let properties = |world: &World, machine: usize| {
        let handle = world.machines[machine].app.handle();
        let (_, found) = world.machines[machine].engine().properties(handle).unwrap();
        found.clone()
    };
    let before = properties(&scene.world, 0);
    let mut forged = before.clone();
    forged.revision = 7;
    forged.friendly_name = Text::new("mine").unwrap();
    let made = SignedProperties::sign(&REAL, &scene.forger.seed, forged);
    scene.tell(vec![Control::Properties { properties: made }]);
    for machine in HONEST {
        assert_eq!(properties(&scene.world, machine), before);
    }
    // Nobody signs them by mistake: whoever sent them is no neighbor any more.
    assert!(HONEST.iter().all(|at| scene.world.neighbor_count(*at) == 1));
    assert_eq!(set(&mut scene.world, 0), Ok(Answer::Done));
}

#[test]
fn admins_alone_end_memberships() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        let may = role == Role::Admin;
        let victim = peer(&scene.world, 2);
        let revoke = |world: &mut World| -> Result<Answer, Error> {
            let handle = world.machines[LIAR].app.handle();
            let revoke = Revoke {
                peer: Some(victim),
                ..Revoke::default()
            };
            world.ask(
                LIAR,
                Command::End {
                    handle,
                    call: EndCall::Revoke(revoke),
                },
            )
        };
        if !may {
            assert_eq!(code(revoke(&mut scene.world)), Code::NotAuthorized);
        }
        for how in [How::Removed, How::Replaced, How::Left] {
            if may && how != How::Removed {
                continue;
            }
            let revocation = scene.claim(Claim::Revocation {
                what: Revoked::Member { peer: victim },
                at: scene.now(),
                how,
                records_stay: false,
                vouches: List::default(),
                reason: Text::default(),
                issuer: scene.forger.peer.0,
                serial: [3; 8],
            });
            scene.tell(vec![revocation]);
        }
        scene.world.run_for(3_000);
        let written = add(&mut scene.world, 2, HOUR_S);
        match (may, written) {
            (true, written) => assert!(written.is_err(), "it is none any more"),
            (false, written) => everywhere(&mut scene.world, 3, written.unwrap(), b"data"),
        }
    }
}

/// Everybody whom discovery may find admits whoever comes by a link.
#[test]
fn every_member_is_found_and_admits() {
    for role in ROLES {
        let mut scene = Scene::new(role);
        let world = &mut scene.world;
        let link = world.invitation(0, NewInvitation::default());
        world.crash(0);
        world.crash(2);
        world.run_for(60_000);
        assert!(world.join(3, &link).is_ok());
        world.trust(3);
        let online = world.connect(3);
        assert!(online.is_ok(), "{role:?}: {online:?}");
        assert!(world.run_until(30_000, |world| world.neighbor_count(3) == 1));
    }
}
