//! Twenty members, five of them asleep: some are removed. Whoever was removed gets nothing new, finds
//! nobody, and what it writes later counts for nobody; the sleepers come back and agree.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use peer_group::engine::command::{Command, EndCall, NewInvitation, Revoke};
use peer_group::engine::event::{Answer, State};
use peer_group::error::Code;
use peer_group::names::{PeerId, RecordId, Role};
use peer_group::time::Millis;
use peer_group_tests::sim::dice::Dice;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::runs::{crypto_of, number, wants_real};
use peer_group_tests::sim::world::World;

const MEMBERS: usize = 20;
const ASLEEP: usize = 5;
/// Seeds of a usual run; `REMOVAL_SEEDS` asks for more.
const SEEDS: u64 = 8;
const MINUTE: Millis = 60_000;

/// What is drawn for one seed.
struct Scene {
    world: World,
    dice: Dice,
    /// Who is removed: by the creator, and in half of the seeds at the same time another by an admin.
    removed: Vec<usize>,
    asleep: Vec<usize>,
}

fn holds(world: &World, machine: usize, id: RecordId) -> bool {
    let of = &world.machines[machine];
    let held = of.engine().held(of.app.handle(), id);
    held.is_ok_and(|held| held.is_some())
}

fn revoke(world: &mut World, by: usize, whom: usize) -> Result<Answer, peer_group::error::Error> {
    let revoke = Revoke {
        peer: world.machines[whom].app.peer,
        reason: "it was enough".to_owned(),
        records_stay: true,
        ..Revoke::default()
    };
    let handle = world.machines[by].app.handle();
    let call = EndCall::Revoke(revoke);
    world.ask(by, Command::End { handle, call })
}

/// A whole group: a creator, three admins, and members.
fn scene(seed: u64, real: bool) -> Scene {
    let mut world = World::new(Options::plain(seed, crypto_of(real), MEMBERS));
    let mut dice = Dice::new(seed, "removal");
    world.create(0);
    let link = |world: &mut World, role, max_uses| {
        let invitation = NewInvitation {
            role,
            max_uses,
            ..NewInvitation::default()
        };
        world.invitation(0, invitation)
    };
    let admins = link(&mut world, Role::Admin, 3);
    let members = link(&mut world, Role::Member, 100);
    assert!(world.connect(0).is_ok());
    for machine in 1..MEMBERS {
        let text = if machine < 4 { &admins } else { &members };
        world.let_in(machine, text);
    }
    let mut others: Vec<usize> = (2..MEMBERS).collect();
    let mut draw = || others.remove(dice.index(others.len()));
    let victims = if seed.is_multiple_of(2) { 2 } else { 1 };
    let mut removed: Vec<usize> = (0..victims).map(|_| draw()).collect();
    // An admin removes no senior: of those who are admins by one link, chance says who that is.
    while removed.get(1).is_some_and(|victim| *victim < 4) {
        removed[1] = draw();
    }
    let asleep = (0..ASLEEP).map(|_| draw()).collect();
    Scene {
        world,
        dice,
        removed,
        asleep,
    }
}

impl Scene {
    /// Machines that stay members.
    fn honest(&self) -> Vec<usize> {
        let all = 0..MEMBERS;
        all.filter(|machine| !self.removed.contains(machine))
            .collect()
    }

    fn awake(&self) -> Vec<usize> {
        let honest = self.honest().into_iter();
        honest.filter(|m| !self.asleep.contains(m)).collect()
    }

    /// Everybody of these has all of those, and is online.
    fn agree(&mut self, machines: &[usize], records: &BTreeSet<RecordId>, limit: Millis) -> Millis {
        let since = self.world.now;
        let done = self.world.run_until(limit, |world| {
            machines.iter().all(|machine| {
                world.state(*machine) == Some(State::Online)
                    && records.iter().all(|id| holds(world, *machine, *id))
            })
        });
        self.world.require_sound();
        let states: Vec<_> = machines.iter().map(|m| self.world.state(*m)).collect();
        let lacking = machines.iter().map(|m| {
            let lacks = records.iter().filter(|id| !holds(&self.world, *m, **id));
            (*m, lacks.count())
        });
        let lacking: Vec<_> = lacking.filter(|(_, count)| *count > 0).collect();
        assert!(
            done,
            "not whole after {limit} ms: {states:?}, lacking {lacking:?}"
        );
        self.world.now - since
    }

    fn peers_of_removed(&self) -> Vec<Option<PeerId>> {
        let removed = self.removed.iter();
        removed.map(|m| self.world.machines[*m].app.peer).collect()
    }

    /// Cuts those who are to be removed off from everybody, or mends it.
    fn cut(&mut self, cut: bool) {
        for victim in self.removed.clone() {
            for other in 0..MEMBERS {
                self.world.set_cut(victim, other, cut);
                self.world.set_cut(other, victim, cut);
            }
        }
    }

    /// None of these is linked with anybody.
    fn is_alone(&self, machine: usize) -> bool {
        let peer = self.world.machines[machine].app.peer;
        let others = (0..MEMBERS).filter(|other| !self.removed.contains(other));
        let mut open = others.flat_map(|m| self.world.machines[m].app.connections.values());
        open.all(|(_, connection)| connection.peer != peer)
    }
}

/// Sleeps, cuts, removals; then nobody is linked with whoever was removed.
fn remove(scene: &mut Scene, seed: u64) -> BTreeSet<RecordId> {
    for machine in scene.asleep.clone() {
        let slept = scene.dice.between(MINUTE, 60 * MINUTE);
        let clock_stops = seed.is_multiple_of(3);
        scene.world.freeze(machine, slept, true, clock_stops);
    }
    // In a third of the seeds whoever is removed is cut off from all others, so that it does not hear.
    scene.cut(seed % 3 == 1);
    for (by, victim) in scene.removed.clone().into_iter().enumerate() {
        let peer = scene.world.machines[victim].app.peer;
        scene.world.removed.extend(peer);
        let done = revoke(&mut scene.world, by, victim);
        assert!(matches!(done, Ok(Answer::Done)), "{done:?}");
    }
    // What they write from now on counts for nobody.
    let mut late = BTreeSet::new();
    for victim in scene.removed.clone() {
        late.extend(scene.world.add_note(victim, "too late"));
    }
    let awake = scene.awake();
    let peers: Vec<_> = scene.peers_of_removed();
    let alone = |world: &World| {
        let mut open = awake
            .iter()
            .flat_map(|m| world.machines[*m].app.connections.values());
        open.all(|(_, connection)| !peers.contains(&connection.peer))
    };
    let alone = scene.world.run_until(2 * MINUTE, alone);
    scene.world.require_sound();
    assert!(alone, "still linked: {:?}", scene.removed);
    late
}

/// They start again and try, as often as they like, while the sleepers wake.
fn come_back(scene: &mut Scene) {
    scene.cut(false);
    for victim in scene.removed.clone() {
        scene.world.crash(victim);
        scene.world.reopen(victim);
        let _ = scene.world.connect_within(victim, 20_000);
    }
    let woken = scene.world.run_until(61 * MINUTE, |world| {
        let mut asleep = scene.asleep.iter();
        asleep.all(|machine| world.machines[*machine].backlog.is_none())
    });
    assert!(woken);
}

/// How long the sleepers took to be back with everything.
fn run(seed: u64, real: bool) -> Millis {
    let mut scene = scene(seed, real);
    let everybody: Vec<usize> = (0..MEMBERS).collect();
    let mut records = BTreeSet::new();
    for machine in 0..MEMBERS {
        records.extend(scene.world.add_note(machine, "before"));
    }
    assert_eq!(records.len(), MEMBERS);
    scene.agree(&everybody, &records, 5 * MINUTE);
    let late = remove(&mut scene, seed);
    scene.world.run_for(30_000);
    let awake = scene.awake();
    let mut news = BTreeSet::new();
    for machine in &awake {
        news.extend(scene.world.add_note(*machine, "after"));
    }
    assert_eq!(news.len(), awake.len());
    // What was written before stays, also of those who were removed.
    records.extend(news.iter().copied());
    scene.agree(&awake, &records, 5 * MINUTE);
    come_back(&mut scene);
    let honest = scene.honest();
    let took = scene.agree(&honest, &records, 10 * MINUTE);
    scene.world.run_for(2 * MINUTE);
    for machine in &honest {
        for id in &late {
            assert!(!holds(&scene.world, *machine, *id), "{machine} took it");
        }
    }
    for victim in scene.removed.clone() {
        assert!(scene.is_alone(victim), "{victim} is linked");
        for id in &news {
            assert!(!holds(&scene.world, victim, *id), "{victim} has news");
        }
        // From here on nobody may show it a description, nor take it.
        let peer = scene.world.machines[victim].app.peer;
        scene.world.members.remove(&peer.expect("it is somebody"));
        let error = scene.world.connect_within(victim, 30_000);
        scene.world.require_sound();
        let code = error.expect_err("it came back").code;
        assert_eq!(code, Code::CredentialRevoked, "{victim}");
    }
    scene.world.require_sound();
    took
}

#[test]
fn whoever_is_removed_gets_nothing_new_and_sleepers_come_back() {
    let count = number("REMOVAL_SEEDS").unwrap_or(SEEDS);
    let from = number("SIM_FROM").unwrap_or(1);
    let started = std::time::Instant::now();
    let next = AtomicU64::new(from);
    let took = Mutex::new(Vec::new());
    let failed = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        break;
                    }
                    match catch_unwind(|| run(seed, wants_real())) {
                        Ok(millis) => {
                            let mut took = took.lock().unwrap();
                            took.push(millis);
                            if took.len().is_multiple_of(100) {
                                println!("removal: {} of {count} seeds", took.len());
                            }
                        }
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let mut took = took.into_inner().unwrap();
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len().saturating_sub(1)) * percent / 100);
    println!(
        "removal: {count} seeds, {} failed, {:.1} s; sleepers back with everything after {:?} ms median, {:?} ms at most",
        failed.len(),
        started.elapsed().as_secs_f64(),
        at(50),
        at(100)
    );
    assert!(
        failed.is_empty(),
        "failed: {failed:?}; one again: SIM_FROM=n REMOVAL_SEEDS=1 cargo test --profile sim -p peer-group-tests --test sim removal -- --nocapture"
    );
}
