//! A statement written out, so that it is one static text with its binds in place: diesel then finds the prepared statement
//! by the type alone. `sql_query` would prepare each time, and an `ON CONFLICT` clause of the query builder is never cached
//! by type.

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident { $($piece:literal $field:ident: $rust:ty => $sql:ty;)+ } $end:literal) => {
        $(#[$doc])*
        pub(super) struct $name<'a> { $(pub(super) $field: $rust,)+ }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl QueryFragment<Backend> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
                $(
                    out.push_sql($piece);
                    out.push_bind_param::<$sql, _>(&self.$field)?;
                )+
                out.push_sql($end);
                Ok(())
            }
        }

        impl RunQueryDsl<Connection> for $name<'_> {}
    };
}
