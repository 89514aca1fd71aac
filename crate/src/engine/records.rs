//! The commands about records.

use super::Engine;
use super::command::{NewRecord, RecordUpdate, Search};
use super::context::Context;
use super::event::{Answer, RecordInfo};
use super::node::{Kind, Node};
use crate::error::{Code, Error};
use crate::names::{HandleId, PeerId, RecordId, RequestId};
use crate::record::search;
use crate::record::store::Entry;
use crate::time::Now;

impl Engine {
    pub(super) fn add_record(
        &mut self,
        now: Now,
        handle: HandleId,
        record: NewRecord,
    ) -> Result<RequestId, Error> {
        self.index(handle)?;
        self.check_memory(record.data.len())?;
        self.on_node(now, handle, true, |node, cx, request| {
            node.ready()?;
            let security = node.kind.security();
            node.graph.add_record(cx, security, request, record)?;
            Ok(None)
        })
    }

    pub(super) fn update(
        &mut self,
        now: Now,
        handle: HandleId,
        id: RecordId,
        update: RecordUpdate,
    ) -> Result<RequestId, Error> {
        self.index(handle)?;
        self.check_memory(update.data.as_ref().map_or(0, Vec::len))?;
        self.on_node(now, handle, true, |node, cx, request| {
            node.ready()?;
            let security = node.kind.security();
            node.graph
                .update_record(cx, security, request, id, update)?;
            Ok(None)
        })
    }

    pub(super) fn delete_record(
        &mut self,
        now: Now,
        handle: HandleId,
        id: RecordId,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            node.ready()?;
            let security = node.kind.security();
            node.graph.delete_record(cx, security, request, id)?;
            Ok(None)
        })
    }

    pub(super) fn get_record(
        &mut self,
        now: Now,
        handle: HandleId,
        id: RecordId,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, _, _| {
            // What is here may be read, so that whoever hears of a record can fetch it; of what is
            // not here nothing is known before the first synchronisation.
            let found = node.graph.get_record(id);
            let record = found.or_else(|error| node.ready().and(Err(error)))?;
            Ok(Some(Answer::Record(Box::new(record))))
        })
    }

    pub(super) fn list_records(
        &mut self,
        now: Now,
        handle: HandleId,
        kind: Option<&str>,
        creator: Option<PeerId>,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, _, _| {
            let found = node.graph.records.store.list(kind, creator);
            Ok(Some(Answer::Records(infos(found))))
        })
    }

    pub(super) fn search_records(
        &mut self,
        now: Now,
        handle: HandleId,
        search: &Search,
    ) -> Result<RequestId, Error> {
        search::check(search)?;
        self.on_node(now, handle, false, |node, _, _| {
            let found = node.graph.records.store.search(search);
            Ok(Some(Answer::Records(infos(found))))
        })
    }

    pub(super) fn delete_local(
        &mut self,
        now: Now,
        handle: HandleId,
        id: RecordId,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, cx, _| {
            if matches!(node.kind, Kind::Group(_)) {
                return Err(Code::InvalidGraph.into());
            }
            node.ready()?;
            node.graph.get_record(id)?;
            node.graph.drop_record(cx, id);
            Ok(Some(Answer::Done))
        })
    }

    pub(super) fn validate_deferred(
        &mut self,
        now: Now,
        handle: HandleId,
        ids: &[RecordId],
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, cx, _| {
            if matches!(node.kind, Kind::Group(_)) {
                return Err(Code::InvalidGraph.into());
            }
            let security = node.kind.security();
            node.graph.validate_deferred(cx, security, ids);
            Ok(Some(Answer::Done))
        })
    }

    pub(super) fn export_database(
        &mut self,
        now: Now,
        handle: HandleId,
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, false, |node, _, _| {
            node.ready()?;
            node.export().map(|data| Some(Answer::Database(data)))
        })
    }

    pub(super) fn import_database(
        &mut self,
        now: Now,
        handle: HandleId,
        data: &[u8],
    ) -> Result<RequestId, Error> {
        self.on_node(now, handle, true, |node, cx, request| {
            if node.online {
                let code = match node.kind {
                    Kind::Group(_) => Code::GroupInUse,
                    Kind::Graph { .. } => Code::GraphInUse,
                };
                return Err(Error::new(code)
                    .detail("a database is imported before connect(), not while connected"));
            }
            node.import(cx, request, data)?;
            Ok(None)
        })
    }
}

impl Node {
    /// The records and what they rest on, in one piece.
    fn export(&mut self) -> Result<Vec<u8>, Error> {
        let control = self.kind.security().control();
        let records = &self.graph.records;
        let offset = records.clock.offset_ms();
        self.keeper.seal.export(offset, control, &records.store)
    }

    /// Takes what was exported by the same identity from the same group.
    fn import(
        &mut self,
        cx: &mut Context<'_>,
        request: RequestId,
        data: &[u8],
    ) -> Result<(), Error> {
        let database = self.keeper.seal.import(data)?;
        let security = self.kind.security();
        self.graph.import(cx, security, database)?;
        self.keeper.imports.push(request);
        self.settle_imports(cx, None);
        Ok(())
    }
}

fn infos<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<RecordInfo> {
    let infos = entries.into_iter();
    infos
        .map(|entry| RecordInfo::from(entry.record()))
        .collect()
}
