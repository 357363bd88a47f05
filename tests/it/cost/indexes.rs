//! Secondary indexes: the entries of items, what writing them costs, and what they take.

use serde_json::{Map, Value};

use super::sizes::{OVERHEAD, kilobytes, size};

/// An index of a table.
pub struct Index {
    /// Its own key attributes.
    keys: Vec<String>,
    /// The attributes of its entries: keys of the table, its own, and those that it projects; none for all.
    attributes: Option<Vec<String>>,
}

/// An item in an index.
#[derive(PartialEq)]
pub struct Entry {
    keys: Vec<Value>,
    attributes: Map<String, Value>,
}

impl Index {
    /// An index as DescribeTable shows it, of a table with these key attributes.
    pub fn of(described: &Value, of_table: &[String]) -> Self {
        let (keys, projection) = (key_names(described), &described["Projection"]);
        let included = || {
            let names = projection["NonKeyAttributes"].as_array().map_or(&[][..], Vec::as_slice);
            names.iter().map(|name| name.as_str().expect("a name").to_owned())
        };
        let attributes = match projection["ProjectionType"].as_str().expect("a projection") {
            "ALL" => None,
            _ => Some(of_table.iter().cloned().chain(keys.iter().cloned()).chain(included()).collect()),
        };
        Self { keys, attributes }
    }

    /// The entry of an item; none if it lacks a key of the index.
    pub fn entry(&self, item: &Map<String, Value>) -> Option<Entry> {
        let keys = self.keys.iter().map(|name| item.get(name).cloned()).collect::<Option<_>>()?;
        let has = |name: &String| self.attributes.as_ref().is_none_or(|names| names.contains(name));
        let attributes = item.iter().filter(|(name, _)| has(name)).map(|(name, of)| (name.clone(), of.clone()));
        Some(Entry { keys, attributes: attributes.collect() })
    }
}

impl Entry {
    /// The bytes that it takes in storage.
    pub fn stored(&self) -> f64 {
        size(&self.attributes) + OVERHEAD
    }

    fn units(&self) -> f64 {
        kilobytes(size(&self.attributes), 1.0)
    }
}

/// The write units of a change of an item in one index. An entry that comes or goes is one write, one whose key changes is
/// two, and one that only projects something else is one (Amazon DynamoDB's guide, Provisioned throughput considerations for
/// global secondary indexes).
pub fn units(old: Option<&Entry>, new: Option<&Entry>) -> f64 {
    match (old, new) {
        (None, None) => 0.0,
        (Some(one), None) | (None, Some(one)) => one.units(),
        (Some(old), Some(new)) if old == new => 0.0,
        (Some(old), Some(new)) if old.keys == new.keys => old.units().max(new.units()),
        (Some(old), Some(new)) => old.units() + new.units(),
    }
}

/// The names of the key attributes of a table or an index, as DescribeTable shows it.
pub fn key_names(described: &Value) -> Vec<String> {
    let keys = described["KeySchema"].as_array().expect("keys").iter();
    keys.map(|key| key["AttributeName"].as_str().expect("a name").to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    fn index(projection: &Value) -> Index {
        let schema = json!([{ "AttributeName": "shard" }, { "AttributeName": "due" }]);
        Index::of(&json!({ "KeySchema": schema, "Projection": projection }), &["id".to_owned()])
    }

    #[test]
    fn an_index_costs_what_comes_goes_moves_or_is_projected_otherwise() {
        let of = |due: &str, line: &str| {
            item(json!({ "id": { "S": "a" }, "shard": { "S": "s" }, "due": { "N": due }, "line": { "S": line },
                         "body": { "S": 5000 } }))
        };
        let waits = item(json!({ "id": { "S": "a" }, "body": { "S": 5000 } }));
        let keys = index(&json!({ "ProjectionType": "KEYS_ONLY" }));
        let some = index(&json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["line"] }));
        let all = index(&json!({ "ProjectionType": "ALL" }));
        let check = |old: &Map<String, Value>, new: &Map<String, Value>, expected: [f64; 3]| {
            let found = [&keys, &some, &all].map(|index| units(index.entry(old).as_ref(), index.entry(new).as_ref()));
            assert_eq!(found, expected, "{old:?} {new:?}");
        };
        check(&waits, &waits, [0.0, 0.0, 0.0]);
        check(&waits, &of("1", "x"), [1.0, 1.0, 5.0]);
        check(&of("1", "x"), &waits, [1.0, 1.0, 5.0]);
        check(&of("1", "x"), &of("1", "x"), [0.0, 0.0, 0.0]);
        check(&of("1", "x"), &of("1", "y"), [0.0, 1.0, 5.0]);
        check(&of("1", "x"), &of("2", "x"), [2.0, 2.0, 10.0]);
        // id, shard and due with their names and values, and what DynamoDB adds.
        assert_eq!(keys.entry(&of("1", "x")).map(|entry| entry.stored()), Some(3.0 + 6.0 + 5.0 + OVERHEAD));
    }
}
