//! Keys and the audit log.

use diesel::prelude::*;

use super::{
    Backend, Connection,
    key::uid,
    schema::{api_keys, audit_log},
    tx::Writer,
};
use crate::{
    store::{Act, AuditFilter, AuditRow, KeyAdded, KeyRevoked, KeyRow},
    task::{KeyId, Millis, Reach, Scopes},
};

/// Every key costs a little memory in each server.
const MOST_KEYS: i64 = 10_000;

type KeyRecord = (Vec<u8>, String, Vec<u8>, String, String, Millis, Option<Millis>, Option<Millis>, Option<Millis>);

pub(super) fn keys(connection: &mut Connection) -> QueryResult<Vec<KeyRow>> {
    let rows: Vec<KeyRecord> = api_keys::table.order((api_keys::created_at, api_keys::id)).load(connection)?;
    let key = |(id, name, hash, scopes, queues, created_at, expires_at, revoked_at, last_used_at): KeyRecord| {
        Some(KeyRow {
            id: KeyId::from_slice(&id)?,
            name,
            hash: hash.try_into().ok()?,
            scopes: Scopes::from_words(&scopes),
            queues: Reach::of(queues.split(' ').filter(|pattern| !pattern.is_empty()).map(str::to_owned)),
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        })
    };
    Ok(rows.into_iter().filter_map(key).collect())
}

pub(super) fn add_key(writer: &mut Writer, key: &KeyRow, as_first: bool) -> QueryResult<KeyAdded> {
    let count: i64 = api_keys::table.count().get_result(&mut writer.connection)?;
    if as_first && count > 0 {
        return Ok(KeyAdded::NotFirst);
    }
    if count >= MOST_KEYS {
        return Ok(KeyAdded::TooMany(MOST_KEYS));
    }
    // The audit log tells keys by their names: two in use at a time must differ.
    let in_use = api_keys::expires_at.is_null().or(api_keys::expires_at.gt(key.created_at));
    let same = api_keys::table.filter(api_keys::name.eq(&key.name).and(api_keys::revoked_at.is_null()).and(in_use));
    if diesel::select(diesel::dsl::exists(same)).get_result(&mut writer.connection)? {
        return Ok(KeyAdded::NameTaken);
    }
    let row = (
        api_keys::id.eq(uid(key.id.as_bytes())),
        api_keys::name.eq(&key.name),
        api_keys::hash.eq(key.hash.as_slice()),
        api_keys::scopes.eq(key.scopes.to_string()),
        api_keys::queues.eq(key.queues.patterns().join(" ")),
        api_keys::created_at.eq(key.created_at),
        api_keys::expires_at.eq(key.expires_at),
    );
    diesel::insert_into(api_keys::table).values(row).execute(&mut writer.connection)?;
    Ok(KeyAdded::Done)
}

pub(super) fn revoke_key(writer: &mut Writer, id: KeyId, now: Millis) -> QueryResult<KeyRevoked> {
    let row = api_keys::table.find(uid(id.as_bytes()));
    let revoke = diesel::update(row.filter(api_keys::revoked_at.is_null())).set(api_keys::revoked_at.eq(now));
    if revoke.execute(&mut writer.connection)? > 0 {
        return Ok(KeyRevoked::Done);
    }
    let known = diesel::select(diesel::dsl::exists(row)).get_result(&mut writer.connection)?;
    Ok(if known { KeyRevoked::Before } else { KeyRevoked::NotFound })
}

pub(super) fn touch_keys(writer: &mut Writer, used: &[(KeyId, Millis)]) -> QueryResult<()> {
    for (id, at) in used {
        let row = diesel::update(api_keys::table.find(uid(id.as_bytes())));
        row.set(api_keys::last_used_at.eq(at)).execute(&mut writer.connection)?;
    }
    Ok(())
}

pub(super) fn audit(writer: &mut Writer, act: &Act, now: Millis) -> QueryResult<()> {
    let row = (
        audit_log::at.eq(now),
        audit_log::actor.eq(&*act.actor),
        audit_log::action.eq(act.action),
        audit_log::target.eq(&act.target),
        audit_log::detail.eq(act.detail.as_ref().map(ToString::to_string)),
    );
    diesel::insert_into(audit_log::table).values(row).execute(&mut writer.connection).map(|_| ())
}

/// Newest first, from before `before`.
pub(super) fn audit_log(
    connection: &mut Connection,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: usize,
) -> QueryResult<Vec<AuditRow>> {
    let mut query = audit_log::table.into_boxed::<Backend>();
    if let Some(actor) = &filter.actor {
        query = query.filter(audit_log::actor.eq(actor));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit_log::target.eq(target));
    }
    if let Some(before) = before {
        query = query.filter(audit_log::seq.lt(before));
    }
    type Row = (i64, Millis, String, String, String, Option<String>);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = query.order(audit_log::seq.desc()).limit(limit).load(connection)?;
    let row = |(seq, at, actor, action, target, detail)| AuditRow { seq, at, actor, action, target, detail };
    Ok(rows.into_iter().map(row).collect())
}

/// The oldest rows come first: none is looked at that must stay, save for a few at the end.
pub(super) fn prune_audit(connection: &mut Connection, before: Millis, rows: usize) -> QueryResult<()> {
    let limit = i64::try_from(rows).unwrap_or(i64::MAX);
    let oldest = audit_log::table.order(audit_log::seq).select((audit_log::seq, audit_log::at)).limit(limit);
    let oldest: Vec<(i64, Millis)> = oldest.load(connection)?;
    let Some((last, _)) = oldest.iter().take_while(|(_, at)| *at < before).last() else { return Ok(()) };
    diesel::delete(audit_log::table.filter(audit_log::seq.le(last))).execute(connection).map(|_| ())
}
