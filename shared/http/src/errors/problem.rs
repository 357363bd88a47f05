//! Problems of the errors API.

use crate::problem::problems;

problems! {
    /// A problem of an error of the errors API.
    pub enum ErrorProblem {
        /// The dismissal names no error.
        IdMissing = 400 "error_id_missing" "Missing errorId parameter";
        /// The error does not exist.
        NotFound = 404 "error_not_found" "Error not found";
        /// The error does not exist, or people cannot dismiss it.
        NotDismissible = 404 "error_not_dismissible" "Error not found or not dismissible";
    }
}
