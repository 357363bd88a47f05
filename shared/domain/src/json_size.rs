//! The size of values as JSON, without writing it: histories and details of steps are measured with each change.

use std::io;

use serde::Serialize;

/// The bytes of a value as it is written; 0 for one that can't be written.
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).map_or(0, |()| counted.0)
}

/// Bytes that were written.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_measured_as_they_are_written() {
        for value in [json!(null), json!("é\n"), json!({ "a": [1, 2.5, "é\n"], "b": { "c": true } })] {
            assert_eq!(json_bytes(&value), value.to_string().len(), "{value}");
        }
    }
}
