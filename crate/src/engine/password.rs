//! What a node does about its group's password: gives it, has it stretched, and tries again.

use super::Engine;
use super::command::{Command, OpenOptions};
use super::context::Context;
use super::effect::Effect;
use super::event::{Answer, Event};
use super::node::{Kind, Node, Timer};
use super::opening::What;
use crate::crypto::node_of;
use crate::crypto::stretch::{Cost, Password};
use crate::error::{Code, Error};
use crate::group::invitation::Invitation;
use crate::group::password::Want;
use crate::names::{HandleId, RequestId, StretchId, WorkId};
use crate::time::Now;
use crate::wire::link::Purpose;

/// What the driver is computing for a node's group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Computing {
    Stretch(StretchId, Want),
    Work(WorkId, Want),
}

impl Engine {
    /// Takes an invitation, with a password exactly if it asks for one.
    pub(super) fn join(
        &mut self,
        options: OpenOptions,
        invitation: &str,
        password: Option<Password>,
    ) -> Result<RequestId, Error> {
        let invitation = Invitation::parse(self.core.config.crypto, invitation)?;
        let asks = matches!(invitation, Invitation::ByPassword(_));
        let wrong = match (asks, &password) {
            (true, None) => "the invitation asks for the group's password: join with it",
            (false, Some(_)) => "the invitation asks for no password: join without one",
            _ => return self.open(options, What::JoinGroup(Box::new(invitation), password)),
        };
        Err(Error::new(Code::InvalidArgument).detail(wrong))
    }

    /// Carries out one of the commands about passwords.
    pub(super) fn on_password(&mut self, now: Now, command: Command) -> Result<RequestId, Error> {
        match command {
            Command::JoinWithPassword {
                options,
                invitation,
                password,
            } => self.join(options, &invitation, Some(password)),
            Command::GivePassword { handle, password } => self.give_password(now, handle, password),
            Command::CreatePasswordInvitation { handle } => {
                self.create_password_invitation(now, handle)
            }
            _ => Err(Code::Internal.into()),
        }
    }

    fn give_password(
        &mut self,
        now: Now,
        handle: HandleId,
        password: Password,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, _, _| {
            if matches!(node.kind, Kind::Graph { .. }) {
                return Err(Code::InvalidGroup.into());
            }
            node.come_with(password);
            Ok(Some(Answer::Done))
        })
    }

    fn create_password_invitation(
        &mut self,
        now: Now,
        handle: HandleId,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, cx, _| match &mut node.kind {
            Kind::Group(group) => {
                let text = group.invite_by_password(cx.now)?;
                Ok(Some(Answer::Invitation(text)))
            }
            Kind::Graph { .. } => Err(Code::InvalidGroup.into()),
        })
    }
}

impl Node {
    /// Notes the password to come in with.
    pub(super) fn come_with(&mut self, password: Password) {
        if let Kind::Group(group) = &mut self.kind {
            group.come_with(password);
        }
    }

    /// Whether the driver is stretching that for us.
    pub(super) fn stretches(&self, of: StretchId) -> bool {
        matches!(&self.computing, Some(Computing::Stretch(id, _)) if *id == of)
    }

    /// Whether the driver is working on that for us.
    pub(super) fn works(&self, of: WorkId) -> bool {
        matches!(&self.computing, Some(Computing::Work(id, _)) if *id == of)
            || self.mailbox.works(of)
    }

    /// Looks after the password: who lacks it, what is to be computed, and whether we could knock.
    pub(super) fn tend(&mut self, cx: &mut Context<'_>) {
        let Kind::Group(group) = &mut self.kind else {
            return;
        };
        match group.tend(cx) {
            Some(due) => self.timers.arm(Timer::Tend, due.max(cx.now.monotonic + 1)),
            None => self.timers.disarm(&Timer::Tend),
        }
        let returns = self.graph.newcomer && group.state.synchronized;
        self.graph.entry = match (group.joins_by_password(), group.may_knock()) {
            _ if returns => Some(Purpose::Return),
            (false, _) => Some(Purpose::Join),
            (true, true) => Some(Purpose::Password),
            (true, false) => None,
        };
        if self.computing.is_some() {
            return;
        }
        self.computing = group.wants().map(|want| match want.clone() {
            Want::Stretch(password, salt) => {
                let stretch = cx.ids.stretch();
                let cost = Cost::OURS;
                cx.effect(Effect::Stretch {
                    stretch,
                    password,
                    salt,
                    cost,
                });
                Computing::Stretch(stretch, want)
            }
            Want::Work(puzzle, bits) => {
                let work = cx.ids.work();
                cx.effect(Effect::Work { work, puzzle, bits });
                Computing::Work(work, want)
            }
        });
    }

    /// A password was stretched. Another one may be wanted by now.
    pub(super) fn stretched(&mut self, cx: &mut Context<'_>, key: Option<[u8; 32]>) {
        let computing = self.computing.take();
        let (Some(Computing::Stretch(_, want)), Kind::Group(group)) = (computing, &mut self.kind)
        else {
            return;
        };
        if group.wants().as_ref() != Some(&want) {
            return;
        }
        match (want, key) {
            (Want::Stretch(_, salt), Some(key)) => {
                group.stretched(salt, key);
                self.tend(cx);
                self.graph.dial_anew(cx);
            }
            _ => {
                let error = Error::new(Code::OutOfMemory).detail("the password needs 19 MiB");
                self.fail_connects(cx, &error);
            }
        }
    }

    /// Work was done: whoever demanded it is asked again.
    pub(super) fn worked(&mut self, cx: &mut Context<'_>, answer: u64) {
        let computing = self.computing.take();
        let (Some(Computing::Work(_, Want::Work(puzzle, _))), Kind::Group(group)) =
            (computing, &mut self.kind)
        else {
            return;
        };
        if let Some(by) = group.worked(puzzle, answer) {
            self.tend(cx);
            self.graph.dial_first(cx, node_of(cx.crypto, by));
        }
    }

    /// A member says that the password is wrong: nobody else is asked.
    pub(super) fn was_wrong(&mut self, cx: &mut Context<'_>, error: &Error) {
        cx.event(Event::AuthenticationFailed {
            node: cx.node,
            error: error.clone(),
        });
        self.fail_connects(cx, error);
    }

    /// Why a group that asks for a password cannot be met.
    pub(super) fn lacks_password(&self) -> Option<Error> {
        let Kind::Group(group) = &self.kind else {
            return None;
        };
        let lacks = group.lacks_password();
        lacks.then(|| Error::new(Code::WrongPassword).detail("no password was given yet"))
    }
}
