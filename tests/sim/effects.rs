//! What engines want done: the driver's part, played by the world.

use peer_group::crypto::work::solve;
use peer_group::engine::command::Store;
use peer_group::engine::effect::{Effect, Question};
use peer_group::engine::input::{Input, StorageFault, Verdict};

use super::machine::{Machine, Work, Write};
use super::world::{Happening, World};

impl Machine {
    /// A write reaches the disk.
    pub fn apply(&mut self, write: Write) {
        for (key, value) in write.changes {
            let place = (write.store.clone(), key);
            match value {
                Some(value) => {
                    self.disk.insert(place, value);
                }
                None => {
                    self.disk.remove(&place);
                }
            }
        }
    }

    fn read(&self, store: &Store, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let all = self.disk.iter();
        all.filter(|((place, key), _)| place == store && key.starts_with(prefix))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl World {
    /// Does what an engine wants.
    pub fn effect(&mut self, machine: usize, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, url, .. } => self.open_socket(machine, socket, &url),
            Effect::SendSocket { socket, bytes } => {
                self.check_taint(machine, "the server", &bytes);
                self.send_socket(machine, socket, bytes);
            }
            Effect::CloseSocket { socket } => self.close_socket(machine, socket),
            Effect::OpenLink { link, role, .. } => self.open_link(machine, link, &role),
            Effect::AnswerLink { link, remote } => self.answer_link(machine, link, &remote),
            Effect::AddCandidate { link, candidate } => {
                self.add_candidate(machine, link, &candidate);
            }
            Effect::Transmit {
                link,
                channel,
                bytes,
            } => {
                self.transmit(machine, link, channel, bytes);
            }
            Effect::CloseLink { link } => self.close_link(machine, link),
            Effect::Load {
                storage,
                store,
                prefix,
            } => self.disk_work(machine, |_| Work::Read {
                storage,
                store,
                prefix,
            }),
            Effect::Persist {
                storage,
                store,
                changes,
                ..
            } => self.disk_work(machine, |full| {
                let write = Write {
                    storage,
                    store,
                    changes,
                };
                if full {
                    Work::Refuse(write.storage)
                } else {
                    Work::Write(write)
                }
            }),
            Effect::Stretch {
                stretch,
                password,
                salt,
                cost,
            } => {
                let crypto = self.options.crypto;
                let key = crypto.stretch(password.as_bytes(), &salt, cost);
                self.soon(machine, Input::Stretched { stretch, key });
            }
            Effect::Work { .. } if self.machines[machine].idle => {}
            Effect::Work { work, puzzle, bits } => {
                let found = solve(self.options.crypto, &puzzle, bits, 0, u64::MAX);
                let answer = found.expect("there are 2^64 to try");
                self.machines[machine].worked += 1;
                self.soon(machine, Input::Worked { work, answer });
            }
            Effect::Lock { node, .. } => self.soon(
                machine,
                Input::Locked {
                    node,
                    granted: true,
                },
            ),
            Effect::Unlock { .. } => {}
            Effect::Ask {
                ask,
                question: Question::ValidateRecord { .. },
                ..
            } => {
                if let Some(verdict) = self.machines[machine].app.about_records {
                    self.soon(machine, Input::Answered { ask, verdict });
                }
            }
            Effect::Ask { ask, .. } => {
                let yes = self.calm || self.app_dice.per_mille(self.options.accept_per_mille);
                let verdict = if yes {
                    Verdict::Accept
                } else {
                    Verdict::Reject
                };
                self.soon(machine, Input::Answered { ask, verdict });
            }
        }
    }

    fn soon(&mut self, machine: usize, input: Input) {
        let (low, high) = self.options.storage_ms;
        let delay = self.dice.between(low, high);
        let life = self.machines[machine].life;
        self.later(
            delay,
            Happening::Input {
                machine,
                life,
                input,
            },
        );
    }

    /// Storage works in order: what is read after a write sees it.
    fn disk_work(&mut self, machine: usize, work: impl FnOnce(bool) -> Work) {
        let (low, high) = self.options.storage_ms;
        let done = self.now + self.dice.between(low, high);
        let of = &mut self.machines[machine];
        of.work_count += 1;
        let (number, life) = (of.work_count, of.life);
        of.work.insert(number, work(of.disk_full));
        of.disk_busy = of.disk_busy.max(done);
        let delay = of.disk_busy - self.now;
        self.later(
            delay,
            Happening::Disk {
                machine,
                life,
                work: number,
            },
        );
    }

    /// Storage has done something, unless the machine ended before.
    pub fn disk_done(&mut self, machine: usize, life: u32, work: u64) {
        let of = &mut self.machines[machine];
        if of.life != life {
            return;
        }
        let input = match of.work.remove(&work) {
            None => return,
            Some(Work::Read {
                storage,
                store,
                prefix,
            }) => Input::Loaded {
                storage,
                result: Ok(of.read(&store, &prefix)),
            },
            Some(Work::Write(write)) => {
                let storage = write.storage;
                of.apply(write);
                Input::Persisted {
                    storage,
                    result: Ok(()),
                }
            }
            Some(Work::Refuse(storage)) => Input::Persisted {
                storage,
                result: Err(StorageFault::Full),
            },
        };
        self.input(machine, input);
    }
}
