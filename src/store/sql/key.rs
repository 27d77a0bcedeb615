//! The id of a task, worker or key in the query builder.

use diesel::{
    expression::AsExpression,
    serialize::{self, Output, ToSql},
};

use super::{Backend, Id};

#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = Id)]
pub(super) struct Uid([u8; 16]);

/// What is no id is one that nothing has.
pub(super) fn uid(bytes: impl AsRef<[u8]>) -> Uid {
    Uid(bytes.as_ref().try_into().unwrap_or_default())
}

impl ToSql<Id, Backend> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Backend>) -> serialize::Result {
        ToSql::<Id, Backend>::to_sql(self.0.as_slice(), out)
    }
}
