//! A client that knows nothing but the description: it makes requests of it,
//! right ones and wrong ones, and holds each answer against it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Whether a value is of a schema. Knows the words that the description uses,
/// and no others.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (word, told) in schema.as_object().expect("a schema") {
        let fits = match word.as_str() {
            "$ref" => {
                let path = told.as_str().expect("a reference").trim_start_matches('#');
                fits(document, document.pointer(path).expect("it leads somewhere"), value)?;
                true
            }
            "type" => match told {
                Value::Array(types) => types.iter().any(|kind| is_of(value, kind)),
                kind => is_of(value, kind),
            },
            "const" => value == told,
            "enum" => told.as_array().expect("values").contains(value),
            "required" => {
                let names = told.as_array().expect("names");
                names.iter().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" => {
                for (name, schema) in told.as_object().expect("properties") {
                    if let Some(value) = value.get(name) {
                        fits(document, schema, value)?;
                    }
                }
                true
            }
            "additionalProperties" => match (told, value.as_object()) {
                (Value::Bool(false), Some(fields)) => {
                    fields.keys().all(|name| schema["properties"].get(name).is_some())
                }
                (Value::Bool(_), _) | (_, None) => true,
                (told, Some(fields)) => {
                    for value in fields.values() {
                        fits(document, told, value)?;
                    }
                    true
                }
            },
            "oneOf" => {
                let all = told.as_array().expect("schemas");
                all.iter().filter(|schema| fits(document, schema, value).is_ok()).count() == 1
            }
            "description" | "examples" | "minimum" | "anyOf" => true,
            other => panic!("the description uses {other}, which this test does not know"),
        };
        if !fits {
            return Err(format!("{value} is not {word} {told}"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("the name of a type") {
        "object" => value.is_object(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("the description uses the type {other}"),
    }
}

/// Some value, of the right type or not.
fn some_value() -> BoxedStrategy<Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            json!("bob"),
            json!("right"),
            json!("nobody"),
            json!("down"),
            json!("closed"),
            json!("192.0.2.7"),
            json!("2001:db8::1"),
            json!("imap"),
            json!("web"),
        ]),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(["bob"])),
        Just(json!({"user": "bob"})),
    ]
    .boxed()
}

/// The body of a request: the properties that the schema names, and sometimes
/// another one; one that must be there is seldom missing.
fn some_body(schema: &Value) -> BoxedStrategy<Value> {
    let properties = schema["properties"].as_object().expect("properties");
    let field = |name: &String| {
        let name = name.clone();
        prop_oneof![
            3 => some_value().prop_map(Some),
            1 => Just(None),
        ]
        .prop_map(move |value| value.map(|value| (name.clone(), value)))
        .boxed()
    };
    let mut fields: Vec<_> = properties.keys().map(field).collect();
    fields.push(prop_oneof![9 => Just(None), 1 => Just(Some(("more".into(), json!(1))))].boxed());
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).boxed()
}

#[test]
fn every_answer_is_as_the_description_says() {
    let document = openapi::document();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let api = api(None);
    let paths = document["paths"].as_object().expect("paths");
    for (path, operations) in paths {
        let Some(operation) = operations.get("post") else { continue };
        let request = &operation["requestBody"]["content"]["application/json"]["schema"];
        let reference = request["$ref"].as_str().expect("a reference").trim_start_matches('#');
        let schema = document.pointer(reference).expect("it leads somewhere");
        let mut runner = TestRunner::new(Config::with_cases(512));
        let checked = runner.run(&some_body(schema), |body| {
            let (status, answer) = runtime.block_on(post(&api, path, &body));
            let response = &operation["responses"][status.to_string()];
            let told = &response["content"]["application/json"]["schema"];
            prop_assert!(told.is_object(), "{status} is not described");
            prop_assert_eq!(fits(&document, told, &answer), Ok(()));
            // The other way round: what is described is taken. An address has
            // more to it than its type.
            let address = |name| {
                body[name]
                    .as_str()
                    .is_some_and(|text: &str| text.parse::<std::net::IpAddr>().is_err())
            };
            if fits(&document, schema, &body).is_err() {
                prop_assert_eq!(status, 400, "{}", body);
            } else if !address("client") && !address("local") {
                prop_assert!(status == 200 || status == 503, "{status} for {body}");
            }
            Ok(())
        });
        checked.expect("every answer is described");
    }
}
