//! Ids are kept as PostgreSQL's `uuid`, and handled as their 16 bytes as in the other store.

use std::io::Write as _;

use diesel::{
    deserialize::{self, FromSql},
    pg::{Pg, PgValue},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::SqlType,
};

#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
pub struct Id;

impl ToSql<Id, Pg> for [u8] {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Pg> for Vec<u8> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(value.as_bytes().to_vec())
    }
}
