//! Routes of videos: film specifications, forms and answers.

pub mod film;
pub(crate) mod film_content;
pub(crate) mod film_numbers;
pub(crate) mod film_reader;
pub(crate) mod film_values;
pub(crate) mod film_warnings;
pub(crate) mod form;
pub mod problem;
pub(crate) mod request;
pub mod routes;
