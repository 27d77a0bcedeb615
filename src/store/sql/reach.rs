//! Rows in the queues that a key is good for.

use diesel::{
    AppearsOnTable, Expression, QueryResult, SelectableExpression,
    expression::{ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};

use super::{Backend, dialect};
use crate::task::Reach;

/// The row's `queue` matches one of these patterns.
pub(super) struct InReach(Vec<String>);

pub(super) fn queue_in(reach: &Reach) -> InReach {
    InReach(reach.patterns().iter().map(|pattern| dialect::pattern(pattern)).collect())
}

impl Expression for InReach {
    type SqlType = Bool;
}

impl QueryFragment<Backend> for InReach {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("(1 = 0");
        for pattern in &self.0 {
            out.push_sql(" OR queue");
            out.push_sql(dialect::MATCHES);
            out.push_bind_param::<Text, _>(pattern)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

/// As many binds as there are patterns.
impl QueryId for InReach {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<GroupBy> ValidGrouping<GroupBy> for InReach {
    type IsAggregate = is_aggregate::Never;
}

impl<From> AppearsOnTable<From> for InReach {}

impl<From> SelectableExpression<From> for InReach {}
