//! The description of the API: OpenAPI 3.1, made of the routes and the words
//! that the code itself uses.

use dmail_core::{SessionId, Transport, UnavailableKind, Username};
use serde_json::{Map, Value, json};

use super::Route;
use super::message::{CHECK_REASONS, LOOKUP_REASONS, ServiceName, error_id};
use crate::response::Status;

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in Route::ALL {
        let method = route.method().to_ascii_lowercase();
        paths.insert(route.path().to_owned(), json!({ method: operation(route) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dmail",
            "summary": "Asks dmail's gateway about logins and users",
            "description": "A verdict is a 200, whichever it is. A 503 says that nobody could \
                decide: it is never a wrong password, and may be asked again.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "secret": [] }],
        "paths": paths,
        "components": { "schemas": schemas(), "securitySchemes": { "secret": {
            "type": "http", "scheme": "bearer",
            "description": "The secret in the file that secret_file= names.",
        } } },
    })
}

fn operation(route: Route) -> Value {
    match route {
        Route::Check => json!({
            "operationId": "check",
            "summary": "Is this the user's password?",
            "description": "A wrong password, an unknown user and a guesser who is not listened \
                to any more get the same answer after the same time, which grows with the number \
                of guesses.",
            "requestBody": { "required": true, "content": content("CheckRequest") },
            "responses": answers("CheckAnswer"),
        }),
        Route::Lookup => json!({
            "operationId": "lookup",
            "summary": "Who is this user?",
            "requestBody": { "required": true, "content": content("LookupRequest") },
            "responses": answers("LookupAnswer"),
        }),
        Route::OpenApi => json!({
            "operationId": "openapi",
            "summary": "This document",
            "security": [],
            "responses": { "200": {
                "description": "OpenAPI 3.1",
                "content": { "application/json": { "schema": { "type": "object" } } },
            } },
        }),
    }
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": reference(schema) } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// The responses of a question whose verdicts are of this schema.
fn answers(schema: &str) -> Value {
    let mut responses = Map::new();
    responses
        .insert("200".into(), json!({ "description": "a verdict", "content": content(schema) }));
    responses.insert(
        "503".into(),
        json!({
            "description": "nobody could decide; ask again",
            "headers": { "Retry-After": {
                "description": "seconds to wait", "schema": { "type": "integer", "minimum": 1 },
            } },
            "content": content("Unavailable"),
        }),
    );
    for (status, description) in [
        (Status::BadRequest, "the request cannot be understood"),
        (Status::Unauthorized, "the secret is missing or wrong"),
        (Status::MethodNotAllowed, "the path is asked another way"),
        (Status::RequestTimeout, "the request did not arrive in time"),
        (Status::ContentTooLarge, "the body is too large"),
        (Status::UnsupportedMediaType, "the body is not JSON"),
        (Status::HeaderFieldsTooLarge, "the head is too large"),
    ] {
        responses.insert(
            status.code().to_string(),
            json!({ "description": description, "content": content("Error") }),
        );
    }
    Value::Object(responses)
}

fn schemas() -> Value {
    json!({
        "CheckRequest": object(&["user", "password"], with_origin(json!({
            "user": user(),
            "password": { "type": "string", "description": "An empty one is nobody's." },
        }))),
        "LookupRequest": object(&["user"], with_origin(json!({ "user": user() }))),
        "CheckAnswer": { "oneOf": [
            reference("Accepted"), rejected(&CHECK_REASONS),
        ] },
        "LookupAnswer": { "oneOf": [
            reference("Accepted"), rejected(&LOOKUP_REASONS),
        ] },
        "Accepted": object(&["result", "account"], json!({
            "result": { "const": "accepted" },
            "account": reference("Account"),
        })),
        "Account": object(&["name", "info"], json!({
            "name": { "type": "string", "description": "The name, as the user base spells it." },
            "drop": { "type": "string", "description": "The file that the mail lies in." },
            "uid": { "type": "string", "description": "Who owns that file: a name or a number." },
            "info": {
                "type": "object",
                "description": "What else the user base says: label and value.",
                "additionalProperties": { "type": "string" },
            },
        })),
        "Unavailable": object(&["result", "reason", "message"], json!({
            "result": { "const": "unavailable" },
            "reason": { "enum": UnavailableKind::ALL.map(UnavailableKind::id) },
            "message": { "type": "string" },
        })),
        "Error": object(&["error", "message"], json!({
            "error": { "type": "string", "examples": [error_id(Status::BadRequest)] },
            "message": { "type": "string" },
        })),
    })
}

fn rejected(reasons: &[&str]) -> Value {
    object(
        &["result", "reason", "message"],
        json!({
            "result": { "const": "rejected" },
            "reason": { "enum": reasons },
            "message": { "type": "string", "description": "Fit to be shown to the user." },
        }),
    )
}

fn user() -> Value {
    json!({
        "type": "string",
        "description": format!(
            "The login name, as it was typed; at most {} bytes without blanks.", Username::MAX_BYTES
        ),
    })
}

/// The properties of a question, with those that say where it comes from.
fn with_origin(mut properties: Value) -> Value {
    let address = |what: &str| {
        json!({
            "type": ["string", "null"],
            "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }],
            "description": what,
        })
    };
    properties["client"] = address("Where the user connected from. Guesses are counted for it.");
    properties["local"] = address("Where the user connected to; some domains are known by it.");
    let mut services: Vec<Value> = ServiceName::WORDS.iter().map(|word| json!(word)).collect();
    services.push(Value::Null);
    properties["service"] = json!({
        "enum": services,
        "description": "What the user logs in to.",
    });
    let mut transports: Vec<_> = Transport::ALL.iter().map(|known| json!(known.name())).collect();
    transports.rotate_left(1);
    properties["transport"] = json!({
        "enum": transports,
        "description": "How the user's connection is protected. insecure: not at all; secured: by \
            TLS, or because it does not leave the machine. access_plaintext may refuse passwords \
            that come insecure.",
    });
    properties["session"] = json!({
        "type": ["string", "null"],
        "description": format!(
            "What the program's own log calls the session, for this log: at most {} letters, \
            digits and + - . / : = @ _; another one is not kept.", SessionId::MAX_BYTES
        ),
    });
    properties
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}
