//! The macro that declares the problems of a family: each stands once, with its status, its code and its sentence.

/// Declares an enum of problems. A row is `Variant(field: Type, …) = status "code" sentence;` the sentence may use the
/// fields. A field whose name begins with `_` is for answers only.
macro_rules! problems {
    ($(#[$about:meta])* pub enum $family:ident { $(
        $(#[$doc:meta])*
        $problem:ident $( ( $($field:ident : $kind:ty),+ ) )? = $status:literal $code:literal $sentence:expr;
    )+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $family { $(
            $(#[$doc])*
            $problem $( ( $($kind),+ ) )?,
        )+ }

        impl $family {
            /// The codes of the family with their statuses, in the order of their declaration.
            pub const CODES: &[(&str, u16)] = &[$(($code, $status)),+];

            /// Status, code and sentence.
            pub fn parts(&self) -> (u16, &'static str, String) {
                match self { $(
                    Self::$problem $( ( $($field),+ ) )? => ($status, $code, String::from($sentence)),
                )+ }
            }
        }
    };
}

pub(crate) use problems;
