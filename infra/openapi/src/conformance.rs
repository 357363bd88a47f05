//! Compares bodies with the description: they have the types that it says, and no member that it leaves out.

mod strict;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, bail, ensure};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use self::strict::Strict;
use crate::codes;

/// The media types whose content has examples.
const MEDIA_TYPES: [&str; 2] = ["application/json", "text/event-stream"];
/// The forms of errors, one of which an error has that its operation does not name: 404 for an unknown route, 405.
const ERRORS: [&str; 3] = ["Error", "VideoError", "GatewayError"];
/// The code of a path that has no route although it looks like one: the gateway decodes `%2F` in a parameter to `/`.
const NO_ROUTE: &str = "unknown_route";
/// The codes of a method that the path does not have: credentials and limits are checked before the method.
const NO_METHOD: [&str; 5] = ["method_not_allowed", "unauthorized", "foreign_page", "foreign_host", "rate_limited"];

/// The description, with which bodies are compared.
pub struct Conformance {
    document: Value,
    strict: Strict,
    /// By the path of their schema in the document.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// How an operation is called.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// The path, with parameters in braces.
    pub path: &'a str,
    /// The method, in lower case.
    pub method: &'a str,
    /// Whether it needs no credentials.
    pub is_open: bool,
}

impl Conformance {
    /// Compares with this description.
    pub fn new(document: Value) -> Self {
        let strict = Strict::new(&document["components"]["schemas"]);
        Self { document, strict, validators: Mutex::default() }
    }

    /// How the operation with this id is called; none for an unknown one.
    pub fn route(&self, operation: &str) -> Option<Route<'_>> {
        let (path, method, described) = self.operations().find(|(_, _, known)| known["operationId"] == operation)?;
        Some(Route { path, method, is_open: described["security"] == json!([]) })
    }

    /// Compares the body of a request to an operation.
    ///
    /// # Errors
    /// Names each member that does not fit.
    pub fn request(&self, operation: &str, body: &Value) -> anyhow::Result<()> {
        let owner = format!("{}/requestBody", self.place(operation)?);
        self.fits(&self.schema_of(&owner).with_context(|| format!("`{operation}` has no body"))?, body)
    }

    /// Compares the body of an operation's answer.
    ///
    /// # Errors
    /// Names each member that does not fit.
    pub fn answer(&self, operation: &str, status: &str, body: &Value) -> anyhow::Result<()> {
        let owner = format!("{}/responses/{status}", self.place(operation)?);
        self.fits(&self.schema_of(&owner).with_context(|| format!("`{operation}` has no answer {status}"))?, body)
    }

    /// Compares the body of a webhook.
    ///
    /// # Errors
    /// Names each member that does not fit.
    pub fn webhook(&self, event: &str, body: &Value) -> anyhow::Result<()> {
        let owner = format!("/webhooks/{}/post/requestBody", escaped(event));
        self.fits(&self.schema_of(&owner).with_context(|| format!("there is no webhook `{event}`"))?, body)
    }

    /// Compares an answer that was received from a path. Any operation of the path may have sent it. Paths without a
    /// description are not compared.
    ///
    /// # Errors
    /// Names each member that does not fit, or says that the status or the code is not described.
    pub fn received(&self, path: &str, status: u16, body: &Value) -> anyhow::Result<()> {
        let mut owners: Vec<(usize, String)> = Vec::new();
        for (template, method, _) in self.operations() {
            let owner = format!("/paths/{}/{method}/responses/{status}", escaped(template));
            owners.extend(literal_segments(template, path).map(|literal| (literal, owner)));
        }
        let Some(most) = owners.iter().map(|(literal, _)| *literal).max() else { return Ok(()) };
        owners.retain(|(literal, _)| *literal == most);
        if let Some(code) = body.get("code").and_then(Value::as_str).filter(|_| status >= 400) {
            let responses: Vec<&Value> = owners.iter().filter_map(|(_, owner)| self.response(owner)).collect();
            let mut listed = responses.iter().flat_map(|response| codes::of_response(response));
            let is_known =
                if responses.is_empty() { NO_METHOD.contains(&code) } else { listed.any(|known| known == code) };
            ensure!(is_known || code == NO_ROUTE, "the code `{code}` of {path}, {status}, is not described");
        }
        let mut schemas: Vec<String> = owners.iter().filter_map(|(_, owner)| self.schema_of(owner)).collect();
        if schemas.is_empty() && status >= 400 {
            let known = ERRORS.iter().filter(|name| self.document["components"]["schemas"].get(**name).is_some());
            schemas = known.map(|name| format!("/components/schemas/{name}")).collect();
        }
        ensure!(!schemas.is_empty(), "status {status} of {path} is not described as JSON");
        let mut faults = Vec::new();
        for schema in &schemas {
            match self.fits(schema, body) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        bail!("the answer {status} of {path} is not as described: {}", faults.join(" | "))
    }

    /// The operations: path, method and description.
    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            let operations = methods.filter(|(_, operation)| operation["operationId"].is_string());
            operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// The path of an operation in the document.
    fn place(&self, operation: &str) -> anyhow::Result<String> {
        let route = self.route(operation).with_context(|| format!("there is no operation `{operation}`"))?;
        Ok(format!("/paths/{}/{}", escaped(route.path), route.method))
    }

    /// The response at a path of the document, or the one that it refers to.
    fn response(&self, owner: &str) -> Option<&Value> {
        let described = self.document.pointer(owner)?;
        match described.get("$ref").and_then(Value::as_str) {
            Some(shared) => self.document.pointer(shared.strip_prefix('#')?),
            None => Some(described),
        }
    }

    /// The path of the schema of a body or an answer; none if it has no content of [`MEDIA_TYPES`].
    fn schema_of(&self, owner: &str) -> Option<String> {
        let described = self.document.pointer(owner)?;
        // Several operations share an error.
        if let Some(shared) = described.get("$ref").and_then(Value::as_str) {
            return self.schema_of(shared.strip_prefix('#')?);
        }
        let content = &described["content"];
        let media_type = MEDIA_TYPES.into_iter().find(|known| content.get(*known).is_some())?;
        Some(format!("{owner}/content/{}/schema", escaped(media_type)))
    }

    /// Compares a body with the schema at a path.
    fn fits(&self, schema: &str, body: &Value) -> anyhow::Result<()> {
        let validator = self.validator(schema)?;
        // A message never repeats the body.
        let faults: Vec<String> = validator
            .iter_errors(body)
            .map(|fault| format!("`{}`: {}", fault.instance_path(), fault.masked()))
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        let alternatives = self.document.pointer(&format!("{schema}/anyOf")).and_then(Value::as_array);
        let fits = |place: usize| self.fits(&format!("{schema}/anyOf/{place}"), body);
        let of_alternatives = (0..alternatives.map_or(0, Vec::len)).filter_map(|place| fits(place).err());
        let detailed: Vec<String> = of_alternatives.map(|fault| fault.to_string()).collect();
        bail!("{}", if detailed.is_empty() { faults.join(", ") } else { detailed.join(" | ") })
    }

    fn validator(&self, path: &str) -> anyhow::Result<Arc<Validator>> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = validators.get(path) {
            return Ok(known.clone());
        }
        let schema = self.document.pointer(path).with_context(|| format!("there is no {path}"))?;
        let schema = self.strict.schema(schema);
        let built = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&schema);
        let validator = Arc::new(built.map_err(|fault| anyhow!("{path}: {fault}"))?);
        validators.insert(path.to_owned(), validator.clone());
        Ok(validator)
    }
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// How many segments of a template are literal, if the path has its form.
fn literal_segments(template: &str, path: &str) -> Option<usize> {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let is_parameter = |segment: &str| segment.starts_with('{');
    let fits = |(known, given): (&&str, &&str)| known == given || is_parameter(known) && !given.is_empty();
    let has_form = template.len() == path.len() && template.iter().zip(&path).all(fits);
    has_form.then(|| template.iter().filter(|segment| !is_parameter(segment)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conformance() -> Conformance {
        let text =
            |name: &str| json!({ "type": "object", "required": [name], "properties": { name: { "type": "string" } } });
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let answer = |name: &str| json!({ "content": { "application/json": { "schema": reference(name) } } });
        let jobs = json!({ "type": "array", "items": reference("Job") });
        let mut missing = answer("Error");
        missing["description"] = json!("`job_not_found` or `job_gone`");
        let error = json!({ "properties": { "error": { "type": "string" }, "code": true }, "required": ["error"] });
        Conformance::new(json!({
            "paths": {
                "/jobs/{id}": {
                    "get": { "operationId": "getJob", "responses": { "200": answer("Job"), "404": missing } },
                    "delete": { "operationId": "deleteJob", "security": [], "responses": { "200": answer("Deleted") } },
                },
                "/jobs/all": { "get": { "operationId": "listJobs", "responses": { "200": answer("Jobs") } } },
            },
            "components": { "schemas": {
                "Job": { "allOf": [reference("Named"), text("status")] },
                "Named": text("name"),
                "Deleted": text("deleted"),
                "Jobs": { "type": "object", "properties": { "jobs": jobs } },
                "Error": error,
            } },
        }))
    }

    #[test]
    fn an_answer_fits_one_operation_of_its_path() {
        let conformance = conformance();
        let check = |path: &str, status: u16, body: Value, fault: Option<&str>| {
            let found = conformance.received(path, status, &body).err().map(|fault| fault.to_string());
            match fault {
                None => assert_eq!(found, None, "{path} {status} {body}"),
                Some(fault) => assert!(found.as_ref().is_some_and(|found| found.contains(fault)), "{found:?}"),
            }
        };
        check("/jobs/1", 200, json!({ "name": "a", "status": "done" }), None);
        check("/jobs/1", 200, json!({ "deleted": "a" }), None);
        check("/jobs/1", 200, json!({ "name": "a", "status": "done", "more": 1 }), Some("'more'"));
        check("/jobs/1", 200, json!({ "name": 1, "status": "done" }), Some("`/name`"));
        check("/jobs/all", 200, json!({ "jobs": [{ "name": "a", "status": "done" }] }), None);
        check("/jobs/all", 200, json!({ "jobs": [{ "name": "a", "status": "done", "more": 1 }] }), Some("`/jobs/0`"));
        check("/jobs/all", 200, json!({ "name": "a", "status": "done" }), Some("'name'"));
        check("/jobs/1", 404, json!({ "error": "no", "code": "job_gone" }), None);
        check("/jobs/1", 404, json!({ "error": "no", "code": "unknown_route" }), None);
        check("/jobs/1", 404, json!({ "error": "no", "code": "job_over" }), Some("`job_over` of /jobs/1, 404"));
        check("/jobs/1", 404, json!({ "error": "no", "code": "unauthorized" }), Some("`unauthorized` of /jobs/1"));
        check("/jobs/1", 401, json!({ "error": "no", "code": "unauthorized" }), None);
        check("/jobs/1", 409, json!({ "error": "no", "code": "job_gone" }), Some("`job_gone` of /jobs/1, 409"));
        check("/jobs/1", 405, json!({ "error": "no" }), None);
        check("/jobs/1", 405, json!({ "message": "no" }), Some("error"));
        check("/jobs/1", 201, json!({}), Some("201 of /jobs/1 is not described"));
        check("/other", 200, json!({}), None);
    }

    #[test]
    fn an_operation_is_found_by_its_id() {
        let conformance = conformance();
        let route = conformance.route("deleteJob").unwrap();
        assert_eq!((route.path, route.method, route.is_open), ("/jobs/{id}", "delete", true));
        assert!(conformance.route("getJob").is_some_and(|route| !route.is_open));
        assert!(conformance.route("nothing").is_none());
        assert!(conformance.answer("listJobs", "200", &json!({ "jobs": [] })).is_ok());
    }
}
