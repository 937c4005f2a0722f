//! What real OPA 1.22 answers (`opa eval --strict-builtin-errors`, in `opa.json`), what differs and why,
//! and what the bounds refuse.

use regorus::{Engine, Value};
use serde_json::Value as Json;

use super::arguments::{MAX_ELEMENTS, MAX_STEPS, MAX_TEXT_BYTES};

const OPA: &str = include_str!("opa.json");

/// Where ours differs on purpose, or regorus does.
const DIFFERENCES: [(&str, &str); 2] = [
    (r#"net.cidr_merge(["0.0.0.0/0","::/0"])"#, "OPA loses the IPv4 network within the IPv6 one"),
    (
        r#"time.format([0,"America/New_York","MST"])"#,
        "regorus writes the offset of a zone, not its name",
    ),
];

pub(super) fn answer(expression: &str) -> Result<Json, String> {
    let mut engine = Engine::new();
    super::install(&mut engine);
    engine.set_strict_builtin_errors(true);
    let long = format!(r#"{{"long": "{}"}}"#, " ".repeat(1_000_000));
    engine.set_input(Value::from_json_str(&long).unwrap());
    let results = engine
        .eval_query(format!("x := {expression}"), false)
        .map_err(|error| super::super::message::parse(&error.to_string()).text)?;
    let value = results.result.first().and_then(|result| result.bindings.as_object().ok());
    let value = value.and_then(|bindings| bindings.get(&Value::from("x")));
    let json = value.ok_or("undefined")?.to_json_str().map_err(|error| error.to_string())?;
    serde_json::from_str(&json).map_err(|error| error.to_string())
}

/// JSON has no sets: an array stands for one in any order.
fn in_any_order(value: &Json) -> Vec<String> {
    let mut parts: Vec<String> = match value {
        Json::Array(values) => values.iter().map(|value| in_any_order(value).join(",")).collect(),
        Json::Object(object) => object
            .iter()
            .map(|(key, value)| format!("{key}:{}", in_any_order(value).join(",")))
            .collect(),
        Json::Number(number) => vec![format!("{:?}", number.as_f64())],
        other => vec![other.to_string()],
    };
    parts.sort();
    parts
}

#[test]
fn builtins_answer_as_opa_does() {
    let cases: Vec<(String, Json)> = serde_json::from_str(OPA).unwrap();
    let mut differing = Vec::new();
    for (expression, expected) in &cases {
        let got = answer(expression);
        let is_equal = match (&got, expected.get("value")) {
            (Ok(got), Some(expected)) => in_any_order(got) == in_any_order(expected),
            (Err(error), None) => error != "undefined",
            (Ok(_), None) | (Err(_), Some(_)) => false,
        };
        if !is_equal {
            differing.push(expression.as_str());
        }
    }
    assert_eq!(differing, DIFFERENCES.map(|(expression, _)| expression));
}

#[track_caller]
fn check(expression: &str, expected: &str) {
    let got = match answer(expression) {
        Ok(value) => value.to_string(),
        Err(error) => error,
    };
    assert_eq!(got, expected, "{expression}");
}

#[test]
fn what_would_grow_without_bound_is_an_error_beyond_it() {
    let elements = format!("there are more than {MAX_ELEMENTS} elements");
    check("count(numbers.range(1, 10000))", "10000");
    check("numbers.range(1, 10001)", &format!("`numbers.range`: {elements}"));
    check(
        "numbers.range(-9000000000000000000, 9000000000000000000)",
        &format!("`numbers.range`: {elements}"),
    );
    check("count(numbers.range_step(0, 1000000, 200))", "5001");
    check("numbers.range_step(0, 1000000, 2)", &format!("`numbers.range_step`: {elements}"));
    check("count(net.cidr_expand(\"10.0.0.0/20\"))", "4096");
    check("net.cidr_expand(\"10.0.0.0/8\")", &format!("`net.cidr_expand`: {elements}"));
    check("net.cidr_expand(\"::/0\")", &format!("`net.cidr_expand`: {elements}"));
    check("bits.lsh(1, 4097)", "`bits.lsh`: it shifts by more than 4096 bits");
    check("sprintf(\"%1000d\", [1]) != \"\"", "true");
    check("sprintf(\"%1001d\", [1])", "`sprintf`: the format is wider than 1000 characters");
    check(
        "sprintf(\"%.99999999999999999999f\", [1.5])",
        "`sprintf`: the format is wider than 1000 characters",
    );
    check("to_number(\"1e308\") > 1", "true");
    check("to_number(\"1e999999999\")", "`to_number`: the exponent is above 308");
    check("units.parse(\"1e999999999Ki\")", "`units.parse`: the exponent is above 308");
    check("units.parse(\"1E\") > 1", "true");
    let range = "numbers.range(1, 10000)";
    let twice = |array: &str| format!("array.concat({array}, {array})");
    let many = twice(&twice(&twice(range)));
    check(&format!("count({many})"), "80000");
    check(&twice(&many), "`array.concat`: the arrays hold more than 100000 elements");
    check(&format!("count([p | walk({range}, [p, _])])"), "10001");
    check(
        &format!("count([p | walk([{many}, {many}], [p, _])])"),
        "`walk`: the document holds more than 100000 values",
    );
    let long = "input.long";
    let too_long = format!("the text is longer than {MAX_TEXT_BYTES} bytes");
    check(&format!("json.marshal([{long}, {long}])"), &format!("`json.marshal`: {too_long}"));
    check(&format!("yaml.marshal([{long}, {long}])"), &format!("`yaml.marshal`: {too_long}"));
}

#[test]
fn texts_that_multiply_their_arguments_end_at_a_length() {
    let too_long = format!("the text is longer than {MAX_TEXT_BYTES} bytes");
    let long = "input.long";
    check(&format!("count({long})"), "1000000");
    check(&format!(r#"replace({long}, " ", "ab")"#), &format!("`replace`: {too_long}"));
    check(&format!(r#"concat("", [{long}, {long}])"#), &format!("`concat`: {too_long}"));
    check(
        &format!(r#"strings.replace_n({{" ": "ab"}}, {long})"#),
        &format!("`strings.replace_n`: {too_long}"),
    );
    check(
        &format!(r#"trim({long}, {long})"#),
        &format!("`trim`: the arguments take more than {MAX_STEPS} steps"),
    );
    check(
        &format!(r#"regex.match("a", {long})"#),
        "`regex.match`: the text is longer than 65536 bytes",
    );
    check(
        &format!(r#"glob.match("a", [], {long})"#),
        "`glob.match`: the glob is longer than 4096 bytes, or the text than 65536",
    );
}

#[test]
fn a_dense_graph_has_too_many_paths() {
    let graph = |nodes: usize| {
        format!(
            "graph.reachable_paths({{a: [b | some b in numbers.range(1, {nodes})] | some a in numbers.range(1, {nodes})}}, [1])"
        )
    };
    check(&format!("count({})", graph(3)), "9");
    check(
        &graph(40),
        &format!("`graph.reachable_paths`: the search takes more than {MAX_STEPS} steps"),
    );
}

#[test]
fn values_that_made_regorus_panic_have_answers() {
    check(r#"strings.count("ab", "")"#, "3");
    check("object.subset([1], [])", "true");
    check(r#"object.subset({"a": [1]}, {"a": []})"#, "true");
    check(r#"sprintf("%½d", [1])"#, "\"%!½(int64=1)d\"");
    check(
        r#"sprintf("%99999999999d", [1])"#,
        "`sprintf`: the format is wider than 1000 characters",
    );
    check(
        r#"time.parse_ns("2006-01-02T15-07", "2020-01-01T00+01")"#,
        "`time.parse_ns`: the layout has `-07` without minutes",
    );
    check(
        r#"time.parse_ns("é", "2020")"#,
        "`time.parse_ns`: the layout holds a character that is not ASCII",
    );
    check(
        r#"time.format([0, "UTC", "é"])"#,
        "`time.format`: the layout holds a character that is not ASCII",
    );
}

#[test]
fn no_time_zone_is_the_machines() {
    check(r#"time.clock([0, "UTC"])"#, "[0,0,0]");
    for call in ["clock", "date", "weekday", "format"] {
        let error = format!("`time.{call}`: the time zone `Local` is the machine's: name one");
        check(&format!(r#"time.{call}([0, "Local"])"#), &error);
    }
}

#[test]
fn a_pattern_beyond_the_limits_is_an_error_and_the_next_one_matches() {
    check(
        r#"regex.match("(\\w{1,1000}){1,1000}", "a")"#,
        "`regex.match`: the pattern compiles to more than 1048576 bytes",
    );
    check(r#"regex.is_valid("(\\w{1,1000}){1,1000}")"#, "false");
    for index in 0..300 {
        check(&format!(r#"regex.match("^a{index}$", "a{index}")"#), "true");
        check(&format!(r#"regex.match("^a{index}$", "b{index}")"#), "false");
    }
}
