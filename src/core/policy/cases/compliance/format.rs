//! A file of cases, JSON or YAML: `{"cases": […]}` or the bare array.

use std::collections::BTreeMap;

use regorus::Value;

use super::super::json_lines::element_lines;
use super::super::{CaseOutcome, MAX_CASES, MAX_TEST_FILE_BYTES};
use super::judge::{self, ErrorKind, Wanted};
use crate::policy::Files;
use crate::policy::rego::{Input, Question};

/// One case, or why it is none.
#[derive(Clone, Debug)]
pub struct ComplianceCase {
    /// Unique: two components of the file's path, without its extension, and the note.
    pub name: String,
    /// The folder of the file: what OPA groups its cases by.
    pub group: String,
    /// From 1; 0 where it is not known.
    pub line: u32,
    case: Result<Case, String>,
}

#[derive(Clone, Debug)]
struct Case {
    question: Question,
    wanted: Wanted,
    /// Errors of builtins are errors in OPA too.
    is_strict: bool,
    is_ignored: bool,
}

impl ComplianceCase {
    /// Runs the case; on a thread with the stack of those that serve, like every evaluation.
    #[must_use]
    pub fn run(&self) -> CaseOutcome {
        match &self.case {
            Err(message) => CaseOutcome::errored(format!("this is no case: {message}")),
            Ok(Case { is_ignored: true, .. }) => {
                CaseOutcome::Skipped { reason: "the case says `ignore`".to_owned() }
            }
            Ok(case) => judge::run(&case.question, &case.wanted, case.is_strict),
        }
    }
}

/// The cases of one file. `taken` counts the names over all files of a run.
///
/// # Errors
/// The file is neither JSON nor YAML, has no list of cases, or is too large.
pub fn compliance_cases(
    file: &str,
    text: &str,
    taken: &mut BTreeMap<String, usize>,
) -> Result<Vec<ComplianceCase>, String> {
    if text.len() > MAX_TEST_FILE_BYTES {
        return Err(format!("the file is larger than {MAX_TEST_FILE_BYTES} bytes"));
    }
    let is_json = file.ends_with(".json");
    let document = if is_json { Value::from_json_str(text) } else { Value::from_yaml_str(text) };
    let document = document.map_err(|error| format!("the file cannot be read: {error}"))?;
    let cases = if document.as_object().is_ok() { &document["cases"] } else { &document };
    let cases = cases.as_array().map_err(|_| "the file has no list of cases".to_owned())?;
    if cases.len() > MAX_CASES {
        return Err(format!("the file has more than {MAX_CASES} cases"));
    }
    let lines = if is_json { element_lines(text) } else { Vec::new() };
    let case = |(index, value): (usize, &Value)| {
        let home = text_of(value, "file").unwrap_or_else(|_| file.to_owned());
        let (group, place) = group_and_place(&home);
        let note = text_of(value, "note").unwrap_or_default();
        let mut name = format!("{place}: {note}");
        let seen = taken.entry(name.clone()).or_default();
        *seen = seen.saturating_add(1);
        if *seen > 1 {
            name = format!("{name} ({seen})");
        }
        let line = lines.get(index).copied().unwrap_or(0);
        ComplianceCase { name, group, line, case: read(value) }
    };
    Ok(cases.iter().enumerate().map(case).collect())
}

fn group_and_place(path: &str) -> (String, String) {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let (folder, name) = stem.rsplit_once('/').unwrap_or((".", stem));
    let group = folder.rsplit('/').next().unwrap_or(folder);
    (group.to_owned(), format!("{group}/{name}"))
}

fn read(value: &Value) -> Result<Case, String> {
    if value.as_object().is_err() {
        return Err("it is no object".to_owned());
    }
    text_of(value, "note")?;
    let mut files = Files::default();
    let modules = &value["modules"];
    if is_given(modules) {
        let modules = modules.as_array().map_err(|_| "`modules` is no list".to_owned())?;
        for (index, module) in modules.iter().enumerate() {
            let text = module.as_string().map_err(|_| "a module is no text".to_owned())?;
            let name = format!("case-{index}.rego");
            files.insert(&name, text.as_bytes().to_vec()).map_err(|error| error.to_string())?;
        }
    }
    if is_given(&value["data"]) {
        let text = value["data"].to_json_str().map_err(|error| format!("`data`: {error}"))?;
        files.insert("data.json", text.into_bytes()).map_err(|error| error.to_string())?;
    }
    let input = match text_of(value, "input_term") {
        Ok(term) => Input::Term(term),
        Err(_) => Input::Value(value["input"].clone()),
    };
    let question = Question { files, query: text_of(value, "query")?, input };
    let is_true = |key: &str| value[key] == Value::Bool(true);
    let wanted = wanted(value, is_true("sort_bindings"))?;
    let (is_strict, is_ignored) = (is_true("strict_error"), is_true("ignore"));
    Ok(Case { question, wanted, is_strict, is_ignored })
}

fn wanted(value: &Value, sorts: bool) -> Result<Wanted, String> {
    let code = text_of(value, "want_error_code").ok();
    if let Some(kind) = error_kind(code.as_deref(), value)? {
        return Ok(Wanted::Error(kind));
    }
    if let Value::Bool(is_defined) = &value["want_defined"] {
        return Ok(Wanted::Defined(*is_defined));
    }
    let bindings = value["want_result"].as_array();
    let bindings = bindings.map_err(|_| "it wants neither a result nor an error".to_owned())?;
    let bindings = bindings.iter().cloned().collect();
    Ok(Wanted::Bindings { bindings, sorts })
}

fn error_kind(code: Option<&str>, value: &Value) -> Result<Option<ErrorKind>, String> {
    let kind = match code {
        None if is_given(&value["want_error"]) => ErrorKind::Evaluation,
        None => return Ok(None),
        Some("eval_conflict_error") => ErrorKind::Conflict,
        Some("eval_builtin_error" | "eval_type_error") => ErrorKind::Builtin,
        Some("eval_internal_error") => ErrorKind::Evaluation,
        Some(code) if code.starts_with("rego_") => {
            ErrorKind::Refused(text_of(value, "want_finding").ok())
        }
        Some(code) => return Err(format!("the error code `{code}` is unknown")),
    };
    Ok(Some(kind))
}

fn is_given(value: &Value) -> bool {
    !matches!(value, Value::Undefined | Value::Null)
}

fn text_of(value: &Value, key: &str) -> Result<String, String> {
    let text = value[key].as_string().map_err(|_| format!("`{key}` is no text"))?;
    Ok(text.to_string())
}
