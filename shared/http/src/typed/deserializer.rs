//! Deserializes a JSON value, and keeps the path at which it fails.

use std::fmt::{self, Display};

use reelhook_domain::brief;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// What would be right.
    Wrong(String),
    /// The field is required.
    Missing,
    /// The field is unknown; these are known.
    Unknown(&'static [&'static str]),
}

/// A fault and where it is.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) fault: Fault,
    /// The steps of the path, the last one first.
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Name(String),
    Index(usize),
}

impl ReadError {
    fn new(fault: Fault) -> Self {
        Self { fault, steps: Vec::new() }
    }

    fn below(mut self, step: impl FnOnce() -> Step) -> Self {
        self.steps.push(step());
        self
    }

    /// What would be right.
    pub(super) fn right(self) -> String {
        match self.fault {
            Fault::Wrong(right) => right,
            Fault::Missing => "present".to_owned(),
            Fault::Unknown(known) => format!("one with the fields `{}`", known.join("`, `")),
        }
    }

    /// The path, such as `scenes[2].duration`; empty for the value as a whole. Callers choose some of the names, which
    /// are shortened to one line.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Name(name) if path.is_empty() => path.push_str(&brief(name)),
                Step::Name(name) => path.extend([".", brief(name).as_str()]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {:?}", self.path(), self.fault)
    }
}

impl std::error::Error for ReadError {}

impl Error for ReadError {
    /// The message says what would be right.
    fn custom<T: Display>(right: T) -> Self {
        Self::new(Fault::Wrong(right.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, right: &dyn Expected) -> Self {
        Self::custom(right)
    }

    fn invalid_value(_: Unexpected<'_>, right: &dyn Expected) -> Self {
        Self::custom(right)
    }

    fn invalid_length(_: usize, right: &dyn Expected) -> Self {
        Self::custom(right)
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::custom(one_of(known))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Fault::Unknown(known)).below(|| Step::Name(name.to_owned()))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Fault::Missing).below(|| Step::Name(name.to_owned()))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::custom("given under one of its names").below(|| Step::Name(name.to_owned()))
    }
}

/// The names as text: "`a`, `b` or `c`".
fn one_of(names: &[&str]) -> String {
    match names {
        [] => "left out".to_owned(),
        [one] => format!("`{one}`"),
        [first @ .., last] => format!("`{}` or `{last}`", first.join("`, `")),
    }
}

/// Deserializes a borrowed JSON value.
pub(super) struct JsonReader<'a>(&'a Value);

impl<'a> JsonReader<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self(value)
    }
}

impl<'de> Deserializer<'de> for JsonReader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(ReadError::custom("a number that fits into 64 bits")),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(entries) => visitor.visit_seq(Entries(entries.iter().enumerate())),
            Value::Object(members) => visitor.visit_map(Members::of(members.iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    /// A list is no object, although the visitor could read one as the fields in their order. The fields are read in
    /// their order, and then all other members, so that the first error does not depend on the order of the body.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Value::Object(members) = self.0 else {
            return Err(ReadError::invalid_type(Unexpected::Other("no object"), &visitor));
        };
        let known = fields.iter().filter_map(|name| members.get_key_value(*name));
        let others = members.iter().filter(|(name, _)| !fields.contains(&name.as_str()));
        visitor.visit_map(Members::of(known.chain(others)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant(name)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(ReadError::custom(one_of(variants)))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// The entries of an array.
struct Entries<'a>(std::iter::Enumerate<std::slice::Iter<'a, Value>>);

impl<'de> SeqAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, entry)) = self.0.next() else { return Ok(None) };
        seed.deserialize(JsonReader(entry)).map(Some).map_err(|error| error.below(|| Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint().1
    }
}

/// The members of an object.
struct Members<'a> {
    rest: std::vec::IntoIter<(&'a String, &'a Value)>,
    value: Option<(&'a str, &'a Value)>,
}

impl<'a> Members<'a> {
    fn of(members: impl Iterator<Item = (&'a String, &'a Value)>) -> Self {
        Self { rest: members.collect::<Vec<_>>().into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, value));
        let name: StrDeserializer<'_, ReadError> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let (name, value) = self.value.take().ok_or_else(|| ReadError::custom("a name before its value"))?;
        seed.deserialize(JsonReader(value)).map_err(|error| error.below(|| Step::Name(name.to_owned())))
    }
}

/// The name of a variant without content.
struct Variant<'a>(&'a str);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name: StrDeserializer<'_, ReadError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(ReadError::custom(ONLY_NAMES))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::custom(ONLY_NAMES))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::custom(ONLY_NAMES))
    }
}

/// Requests have no enums with content: their description would be hard to read.
const ONLY_NAMES: &str = "one of the names";
