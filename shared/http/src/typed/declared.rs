//! The macro that declares the fields of a family. Where it is used, the names that it writes must be in scope.

/// Declares fields: what each holds, how it is read, and its description.
macro_rules! fields {
    ($( $(#[$about:meta])* $name:ident($kind:ty), $read:expr, $schema:expr; )+) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub $kind);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read: fn(Value) -> Result<$kind, String> = $read;
                read(Value::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    )+ };
}

pub(crate) use fields;
