//! The ledger's rows as they are, read in chunks by whoever audits them. Nothing is parsed here but the columns' own types:
//! a row that somebody has changed must be readable to be named. What is right is not decided here.
//!
//! Each statement sees one moment, so that what a running server writes meanwhile is seen whole or not at all.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::delta_entries::Line;
use super::{Conn, StoreResult};

/// Defines a row that is read by its columns' names.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $sql:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, QueryableByName)]
        pub struct $name {
            $(#[diesel(sql_type = $sql)] pub $field: $type,)+
        }
    )+};
}

rows! {
    /// The head of a line, and how far its entries go at the same moment.
    Head {
        ledger_id: i64 = BigInt,
        tenant_id: String = Text,
        mode: String = Text,
        last_sequence: i64 = BigInt,
        last_hash: Option<Vec<u8>> = Nullable<Binary>,
        last_verified_at: i64 = BigInt,
        emitted: i64 = BigInt,
        emitted_sum: String = Text,
        highest: Option<i64> = Nullable<BigInt>,
    }

    /// An entry of a line with its delta, its customer, the customer's entry before it and the failure of the same record,
    /// as far as they are there.
    Placed {
        sequence: i64 = BigInt,
        record_id: String = Text,
        customer_key: i64 = BigInt,
        customer_sequence: i64 = BigInt,
        customer_sum: String = Text,
        emitted: i64 = BigInt,
        emitted_sum: String = Text,
        leaf_hash: Vec<u8> = Binary,
        verified_at: i64 = BigInt,
        delta_tenant_id: Option<String> = Nullable<Text>,
        delta_mode: Option<String> = Nullable<Text>,
        customer_id: Option<String> = Nullable<Text>,
        currency: Option<String> = Nullable<Text>,
        millionths: Option<i64> = Nullable<BigInt>,
        reason: Option<String> = Nullable<Text>,
        reference_id: Option<String> = Nullable<Text>,
        metadata: Option<String> = Nullable<Text>,
        salt: Option<Vec<u8>> = Nullable<Binary>,
        content_hash: Option<Vec<u8>> = Nullable<Binary>,
        counted_in: Option<String> = Nullable<Text>,
        created_at: Option<i64> = Nullable<BigInt>,
        owner_tenant_id: Option<String> = Nullable<Text>,
        owner_mode: Option<String> = Nullable<Text>,
        owner_id: Option<String> = Nullable<Text>,
        owner_currency: Option<String> = Nullable<Text>,
        before_ledger_id: Option<i64> = Nullable<BigInt>,
        before_sequence: Option<i64> = Nullable<BigInt>,
        before_sum: Option<String> = Nullable<Text>,
        failed: Option<String> = Nullable<Text>,
    }

    /// A delta as it was taken in.
    Taken {
        record_id: String = Text,
        tenant_id: String = Text,
        mode: String = Text,
        customer_id: String = Text,
        currency: Option<String> = Nullable<Text>,
        millionths: i64 = BigInt,
        reason: String = Text,
        reference_id: Option<String> = Nullable<Text>,
        metadata: Option<String> = Nullable<Text>,
        salt: Vec<u8> = Binary,
        content_hash: Vec<u8> = Binary,
        counted_in: Option<String> = Nullable<Text>,
        created_at: i64 = BigInt,
    }

    /// Where a delta is: in a line, among the failures, or in what waits (the last record of the request that may have it).
    Whereabouts {
        record_id: String = Text,
        tenant_id: String = Text,
        mode: String = Text,
        ledger_id: Option<i64> = Nullable<BigInt>,
        failed: Option<String> = Nullable<Text>,
        waits_until: Option<String> = Nullable<Text>,
    }

    /// A request that waits, how many of its records there are, and how many of them do not wait.
    Waiting {
        tenant_id: String = Text,
        mode: String = Text,
        first_record_id: String = Text,
        last_record_id: String = Text,
        number: i64 = BigInt,
        there: i64 = BigInt,
        done: i64 = BigInt,
    }

    /// A failure, and whether its record is there.
    Failure {
        record_id: String = Text,
        found: Option<String> = Nullable<Text>,
    }

    /// A customer, the entry that its row says is the last, and how many entries it has.
    Owner {
        customer_key: i64 = BigInt,
        tenant_id: String = Text,
        mode: String = Text,
        customer_id: String = Text,
        deltas: i64 = BigInt,
        balance: String = Text,
        last_delta_at: Option<i64> = Nullable<BigInt>,
        last_sum: Option<String> = Nullable<Text>,
        last_verified_at: Option<i64> = Nullable<BigInt>,
        entries: i64 = BigInt,
    }

    /// A tree with its scope, its largest checkpoint and how many nodes it has that it must not have.
    Planted {
        tree_id: i64 = BigInt,
        ledger_id: i64 = BigInt,
        customer_key: i64 = BigInt,
        period: String = Text,
        first_leaf: i64 = BigInt,
        size: i64 = BigInt,
        tenant_id: Option<String> = Nullable<Text>,
        mode: Option<String> = Nullable<Text>,
        owner_tenant_id: Option<String> = Nullable<Text>,
        owner_mode: Option<String> = Nullable<Text>,
        owner_id: Option<String> = Nullable<Text>,
        largest: Option<i64> = Nullable<BigInt>,
        surplus: i64 = BigInt,
    }

    /// A leaf of a tree: its number in the line, and the sum after it that a checkpoint over it is about.
    PlacedLeaf {
        number: i64 = BigInt,
        leaf_hash: Vec<u8> = Binary,
        sum: String = Text,
        verified_at: i64 = BigInt,
    }

    /// A node of a tree.
    Node {
        position: i64 = BigInt,
        hash: Vec<u8> = Binary,
    }

    /// A checkpoint.
    Signed {
        checkpoint_id: String = Text,
        tenant_id: String = Text,
        mode: String = Text,
        customer_id: Option<String> = Nullable<Text>,
        period: Option<String> = Nullable<Text>,
        size: i64 = BigInt,
        root: Vec<u8> = Binary,
        net_change: String = Text,
        note: String = Text,
        created_at: i64 = BigInt,
    }

    /// A row that belongs to nothing.
    Orphan { what: String = Text, name: String = Text }

    /// The first entry of a line, and whether the line has a head.
    FirstOfLine {
        ledger_id: i64 = BigInt,
        sequence: i64 = BigInt,
        head: Option<i64> = Nullable<BigInt>,
    }

    Total { number: i64 = BigInt }
}

/// Every line.
pub fn heads(conn: &mut Conn) -> StoreResult<Vec<Head>> {
    Ok(diesel::sql_query(
        "SELECT l.ledger_id, l.tenant_id, l.mode, l.last_sequence, l.last_hash, l.last_verified_at, l.emitted, l.emitted_sum,
           (SELECT MAX(e.sequence) FROM delta_entries e WHERE e.ledger_id = l.ledger_id) AS highest
         FROM ledgers l ORDER BY l.ledger_id",
    )
    .load(conn)?)
}

/// How many leaves all trees have together.
pub fn leaves_of_trees(conn: &mut Conn) -> StoreResult<i64> {
    let total: Total = diesel::sql_query("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS number FROM merkle_trees")
        .get_result(conn)?;
    Ok(total.number)
}

/// Entries of a line after a sequence and up to another, in order.
pub fn placed(conn: &mut Conn, ledger_id: i64, after: i64, last: i64, most: i64) -> StoreResult<Vec<Placed>> {
    Ok(diesel::sql_query(
        "SELECT e.sequence, e.record_id, e.customer_key, e.customer_sequence, e.customer_sum, e.emitted, e.emitted_sum,
           e.leaf_hash, e.verified_at,
           d.tenant_id AS delta_tenant_id, d.mode AS delta_mode, d.customer_id, d.currency, d.millionths, d.reason,
           d.reference_id, d.metadata, d.salt, d.content_hash, d.counted_in, d.created_at,
           c.tenant_id AS owner_tenant_id, c.mode AS owner_mode, c.customer_id AS owner_id, c.currency AS owner_currency,
           p.ledger_id AS before_ledger_id, p.sequence AS before_sequence, p.customer_sum AS before_sum,
           f.record_id AS failed
         FROM (SELECT * FROM delta_entries WHERE ledger_id = $1 AND sequence > $2 AND sequence <= $3
               ORDER BY sequence LIMIT $4) e
         LEFT JOIN deltas d ON d.record_id = e.record_id
         LEFT JOIN ledger_customers c ON c.customer_key = e.customer_key
         LEFT JOIN delta_entries p ON p.customer_key = e.customer_key AND p.customer_sequence = e.customer_sequence - 1
         LEFT JOIN delta_failures f ON f.record_id = e.record_id
         ORDER BY e.sequence",
    )
    .bind::<BigInt, _>(ledger_id)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(last)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// The first entry of the next line after this one.
pub fn next_line(conn: &mut Conn, after: i64) -> StoreResult<Option<FirstOfLine>> {
    Ok(diesel::sql_query(
        "SELECT e.ledger_id, e.sequence, l.ledger_id AS head
         FROM (SELECT ledger_id, sequence FROM delta_entries WHERE ledger_id > $1 ORDER BY ledger_id, sequence LIMIT 1) e
         LEFT JOIN ledgers l ON l.ledger_id = e.ledger_id",
    )
    .bind::<BigInt, _>(after)
    .get_result(conn)
    .optional()?)
}

/// Where the deltas after a record are, in the order of their ids.
pub fn whereabouts(conn: &mut Conn, after: &str, most: i64) -> StoreResult<Vec<Whereabouts>> {
    Ok(diesel::sql_query(
        "SELECT d.record_id, d.tenant_id, d.mode, e.ledger_id, f.record_id AS failed,
           (SELECT q.last_record_id FROM delta_queue q WHERE q.tenant_id = d.tenant_id AND q.mode = d.mode
              AND q.first_record_id <= d.record_id ORDER BY q.first_record_id DESC LIMIT 1) AS waits_until
         FROM (SELECT record_id, tenant_id, mode FROM deltas WHERE record_id > $1 ORDER BY record_id LIMIT $2) d
         LEFT JOIN delta_entries e ON e.record_id = d.record_id
         LEFT JOIN delta_failures f ON f.record_id = d.record_id
         ORDER BY d.record_id",
    )
    .bind::<Text, _>(after)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// The deltas of a stretch of ids that are neither in a line nor among the failures.
pub fn unplaced(conn: &mut Conn, first: &str, last: &str) -> StoreResult<Vec<Taken>> {
    Ok(diesel::sql_query(
        "SELECT d.* FROM deltas d WHERE d.record_id >= $1 AND d.record_id <= $2
           AND NOT EXISTS (SELECT 1 FROM delta_entries e WHERE e.record_id = d.record_id)
           AND NOT EXISTS (SELECT 1 FROM delta_failures f WHERE f.record_id = d.record_id)
         ORDER BY d.record_id",
    )
    .bind::<Text, _>(first)
    .bind::<Text, _>(last)
    .load(conn)?)
}

/// The requests that wait after one.
pub fn waiting(conn: &mut Conn, after: [&str; 3], most: i64) -> StoreResult<Vec<Waiting>> {
    let [tenant_id, mode, first_record_id] = after;
    Ok(diesel::sql_query(
        "SELECT q.*,
           (SELECT COUNT(*) FROM deltas d WHERE d.record_id >= q.first_record_id AND d.record_id <= q.last_record_id
              AND d.tenant_id = q.tenant_id AND d.mode = q.mode) AS there,
           (SELECT COUNT(*) FROM deltas d WHERE d.record_id >= q.first_record_id AND d.record_id <= q.last_record_id
              AND (EXISTS (SELECT 1 FROM delta_entries e WHERE e.record_id = d.record_id)
                OR EXISTS (SELECT 1 FROM delta_failures f WHERE f.record_id = d.record_id))) AS done
         FROM (SELECT tenant_id, mode, first_record_id, last_record_id, number FROM delta_queue
               WHERE (tenant_id, mode, first_record_id) > ($1, $2, $3)
               ORDER BY tenant_id, mode, first_record_id LIMIT $4) q
         ORDER BY q.tenant_id, q.mode, q.first_record_id",
    )
    .bind::<Text, _>(tenant_id)
    .bind::<Text, _>(mode)
    .bind::<Text, _>(first_record_id)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// The failures after a record.
pub fn failures(conn: &mut Conn, after: &str, most: i64) -> StoreResult<Vec<Failure>> {
    Ok(diesel::sql_query(
        "SELECT f.record_id, d.record_id AS found
         FROM (SELECT record_id FROM delta_failures WHERE record_id > $1 ORDER BY record_id LIMIT $2) f
         LEFT JOIN deltas d ON d.record_id = f.record_id ORDER BY f.record_id",
    )
    .bind::<Text, _>(after)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// The customers after one.
pub fn owners(conn: &mut Conn, after: i64, most: i64) -> StoreResult<Vec<Owner>> {
    Ok(diesel::sql_query(
        "SELECT c.customer_key, c.tenant_id, c.mode, c.customer_id, c.deltas, c.balance, c.last_delta_at,
           e.customer_sum AS last_sum, e.verified_at AS last_verified_at,
           (SELECT COUNT(*) FROM delta_entries n WHERE n.customer_key = c.customer_key) AS entries
         FROM (SELECT * FROM ledger_customers WHERE customer_key > $1 ORDER BY customer_key LIMIT $2) c
         LEFT JOIN delta_entries e ON e.customer_key = c.customer_key AND e.customer_sequence = c.deltas
         ORDER BY c.customer_key",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// The trees after one.
pub fn trees(conn: &mut Conn, after: i64, most: i64) -> StoreResult<Vec<Planted>> {
    Ok(diesel::sql_query(
        "SELECT t.tree_id, t.ledger_id, t.customer_key, t.period, t.first_leaf, t.size, l.tenant_id, l.mode,
           c.tenant_id AS owner_tenant_id, c.mode AS owner_mode, c.customer_id AS owner_id,
           (SELECT MAX(k.size) FROM checkpoints k WHERE k.tree_id = t.tree_id) AS largest,
           (SELECT COUNT(*) FROM merkle_nodes n WHERE n.tree_id = t.tree_id AND (n.position < 0 OR NOT (
              (n.level = 1 AND n.position < t.size / 256) OR (n.level = 2 AND n.position < t.size / 65536)
              OR (n.level = 3 AND n.position < t.size / 16777216)))) AS surplus
         FROM (SELECT * FROM merkle_trees WHERE tree_id > $1 ORDER BY tree_id LIMIT $2) t
         LEFT JOIN ledgers l ON l.ledger_id = t.ledger_id
         LEFT JOIN ledger_customers c ON c.customer_key = t.customer_key
         ORDER BY t.tree_id",
    )
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// Leaves of a line from a number to another, both included, in order.
pub fn leaves(conn: &mut Conn, line: Line, first: i64, last: i64) -> StoreResult<Vec<PlacedLeaf>> {
    let (sql, of) = match line {
        Line::Ledger(ledger_id) => (
            "SELECT sequence AS number, leaf_hash, emitted_sum AS sum, verified_at FROM delta_entries
             WHERE ledger_id = $1 AND sequence >= $2 AND sequence <= $3 ORDER BY sequence",
            ledger_id,
        ),
        Line::Customer(customer_key) => (
            "SELECT customer_sequence AS number, leaf_hash, customer_sum AS sum, verified_at FROM delta_entries
             WHERE customer_key = $1 AND customer_sequence >= $2 AND customer_sequence <= $3 ORDER BY customer_sequence",
            customer_key,
        ),
    };
    let query = diesel::sql_query(sql).bind::<BigInt, _>(of).bind::<BigInt, _>(first).bind::<BigInt, _>(last);
    Ok(query.load(conn)?)
}

/// Nodes of a level of a tree from a position to another, both included, in order.
pub fn nodes(conn: &mut Conn, tree_id: i64, level: i64, first: i64, last: i64) -> StoreResult<Vec<Node>> {
    Ok(diesel::sql_query(
        "SELECT position, hash FROM merkle_nodes
         WHERE tree_id = $1 AND level = $2 AND position >= $3 AND position <= $4 ORDER BY position",
    )
    .bind::<BigInt, _>(tree_id)
    .bind::<BigInt, _>(level)
    .bind::<BigInt, _>(first)
    .bind::<BigInt, _>(last)
    .load(conn)?)
}

/// Checkpoints of a tree that are larger than a size and not larger than another, the smallest first.
pub fn signed(conn: &mut Conn, tree_id: i64, after: i64, largest: i64, most: i64) -> StoreResult<Vec<Signed>> {
    Ok(diesel::sql_query(
        "SELECT checkpoint_id, tenant_id, mode, customer_id, period, size, root, net_change, note, created_at
         FROM checkpoints WHERE tree_id = $1 AND size > $2 AND size <= $3 ORDER BY size, checkpoint_id LIMIT $4",
    )
    .bind::<BigInt, _>(tree_id)
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(largest)
    .bind::<BigInt, _>(most)
    .load(conn)?)
}

/// Checkpoints and nodes without a tree, one of each.
pub fn orphans(conn: &mut Conn) -> StoreResult<Vec<Orphan>> {
    let mut found: Vec<Orphan> = diesel::sql_query(
        "SELECT 'checkpoint' AS what, c.checkpoint_id AS name FROM checkpoints c
         WHERE NOT EXISTS (SELECT 1 FROM merkle_trees t WHERE t.tree_id = c.tree_id) ORDER BY c.checkpoint_id LIMIT 1",
    )
    .load(conn)?;
    found.extend(
        diesel::sql_query(
            "SELECT 'node of the tree' AS what, CAST(n.tree_id AS TEXT) AS name FROM merkle_nodes n
             WHERE NOT EXISTS (SELECT 1 FROM merkle_trees t WHERE t.tree_id = n.tree_id) ORDER BY n.tree_id LIMIT 1",
        )
        .load::<Orphan>(conn)?,
    );
    Ok(found)
}
