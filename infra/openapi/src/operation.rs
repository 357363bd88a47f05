//! One operation of the API: what a family says about a route. Everything that all routes have in common is added by
//! [`crate::document`].

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type, and registers the types that it refers to.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type, as a reference where it has a name.
pub fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The credentials that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An API key or a session.
    Key,
    /// None: the route is open, or the path has a token.
    Open,
    /// An API key or a session; without them, the answer is a redirect to the sign-in page.
    Page,
    /// An API key, a session, or a signed link.
    Link,
    /// An API key, a session, or a stream token.
    Stream,
    /// An API key, a session, or the signature of a worker.
    Worker,
}

/// The form of a route's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// StreamGank's.
    StreamGank,
    /// VidBuilder's.
    VidBuilder,
    /// That of projects.
    Project,
    /// That of clip jobs and credits.
    Clip,
    /// That of the webhooks about tasks of projects.
    Callback,
    /// StreamGank's for JSON, and pages for forms.
    Page,
}

/// A parameter of the path, or a header.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it is: `path`, `query`, `header` or `cookie`.
    pub place: &'static str,
    /// A sentence about it.
    pub about: &'static str,
    /// Its type.
    pub schema: SchemaOf,
}

/// Content of a body or an answer.
pub struct Content {
    /// The media type.
    pub media_type: &'static str,
    /// The type.
    pub schema: SchemaOf,
}

/// An answer that is no error.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// A sentence about it.
    pub about: &'static str,
    /// The content; none for an answer without a body.
    pub content: Option<Content>,
    /// The names of its headers ([`crate::common::headers`]).
    pub headers: &'static [&'static str],
}

/// An operation.
pub struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) about: Option<&'static str>,
    pub(crate) access: Access,
    pub(crate) errors: Errors,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) body: Vec<Content>,
    pub(crate) body_is_optional: bool,
    pub(crate) answers: Vec<Answer>,
    pub(crate) codes: Vec<&'static str>,
    pub(crate) is_stateless: bool,
    pub(crate) callbacks: Vec<Callback>,
}

/// An operation of a tag: its method and path, its id for generated clients, and a short title.
pub fn operation(tag: &'static str, route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
    Operation {
        method,
        path,
        id,
        tag,
        summary,
        about: None,
        access: Access::Key,
        errors: Errors::StreamGank,
        parameters: Vec::new(),
        query: None,
        body: Vec::new(),
        body_is_optional: false,
        answers: Vec::new(),
        codes: Vec::new(),
        is_stateless: false,
        callbacks: Vec::new(),
    }
}

impl Operation {
    /// More about it than its title.
    pub fn about(mut self, text: &'static str) -> Self {
        self.about = Some(text);
        self
    }

    /// Its credentials are not those of most routes.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Its errors have VidBuilder's form.
    pub fn vidbuilder(mut self) -> Self {
        self.errors = Errors::VidBuilder;
        self
    }

    /// Its errors have the form of projects.
    pub fn projects(mut self) -> Self {
        self.errors = Errors::Project;
        self
    }

    /// Its errors have the form of clip jobs.
    pub fn clips(mut self) -> Self {
        self.errors = Errors::Clip;
        self
    }

    /// Its errors have the form of the webhooks about tasks of projects.
    pub fn task_callback(mut self) -> Self {
        self.errors = Errors::Callback;
        self
    }

    /// Its errors are pages for a form.
    pub fn pages(mut self) -> Self {
        self.errors = Errors::Page;
        self
    }

    /// The requests that Reelhook sends to a URL of its body.
    pub fn callbacks(mut self, callbacks: impl IntoIterator<Item = Callback>) -> Self {
        self.callbacks.extend(callbacks);
        self
    }

    /// A parameter of the path.
    pub fn path<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "path", about, schema: schema_of::<T> });
        self
    }

    /// A header of the request, which is optional.
    pub fn header<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "header", about, schema: schema_of::<T> });
        self
    }

    /// A cookie of the request, which is optional.
    pub fn cookie<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "cookie", about, schema: schema_of::<T> });
        self
    }

    /// A query parameter that is read beside a type, which is optional.
    pub fn query_parameter<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "query", about, schema: schema_of::<T> });
        self
    }

    /// The type of its query parameters.
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.codes.push("bad_field");
        self.lenient_query::<T>()
    }

    /// The type of its query parameters, none of which is refused.
    pub fn lenient_query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// It accepts an `Idempotency-Key`; `about` says how long it counts.
    pub fn idempotent(mut self, about: &'static str) -> Self {
        self.codes.extend(["bad_idempotency_key", "idempotency_key_reused"]);
        self.header::<crate::common::IdempotencyKey>("Idempotency-Key", about)
    }

    /// The type of its JSON body.
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.codes.push("bad_field");
        self.form::<T>("application/json")
    }

    /// The type of its JSON body, of which no member is refused: what is unusable is ignored.
    pub fn lenient_body<T: JsonSchema>(self) -> Self {
        self.form::<T>("application/json")
    }

    /// The type of its JSON body, which may be left out.
    pub fn optional_body<T: JsonSchema>(mut self) -> Self {
        self.body_is_optional = true;
        self.body::<T>()
    }

    /// The type of its body in another media type.
    pub fn form<T: JsonSchema>(mut self, media_type: &'static str) -> Self {
        self.body.push(Content { media_type, schema: schema_of::<T> });
        self
    }

    /// A JSON answer.
    pub fn answer<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answer_with::<T>(status, about, "application/json", &[])
    }

    /// An answer of another media type, or with headers.
    pub fn answer_with<T: JsonSchema>(
        mut self,
        status: u16,
        about: &'static str,
        media_type: &'static str,
        headers: &'static [&'static str],
    ) -> Self {
        let content = Some(Content { media_type, schema: schema_of::<T> });
        self.answers.push(Answer { status, about, content, headers });
        self
    }

    /// An answer without a body.
    pub fn empty_answer(mut self, status: u16, about: &'static str, headers: &'static [&'static str]) -> Self {
        self.answers.push(Answer { status, about, content: None, headers });
        self
    }

    /// The codes of its errors, besides those that follow from its credentials and its body.
    pub fn codes(mut self, codes: &[&'static str]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// It uses no store, which could be busy or fail.
    pub fn stateless(mut self) -> Self {
        self.is_stateless = true;
        self
    }
}

/// A request that Reelhook sends to the `webhookUrl` of a body. Its own body is the `data` of a webhook event.
pub struct Callback {
    /// Its name, which is also the value of the header `X-Webhook-Event`.
    pub name: &'static str,
    /// Its id for generated clients.
    pub id: &'static str,
    /// When it is sent.
    pub summary: &'static str,
    /// More about it.
    pub about: &'static str,
    /// The event whose data it has.
    pub event: &'static str,
    /// The type of its body.
    pub data: SchemaOf,
}

/// A webhook: an event that Reelhook sends.
pub struct Webhook {
    /// The name of the event.
    pub event: &'static str,
    /// When it is sent.
    pub about: &'static str,
    /// The type of its `data`.
    pub data: SchemaOf,
}
