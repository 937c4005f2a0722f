//! From files to a prepared engine: scan, parse, index, check, merge data.

use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, PolicyLengthConfig, Value};

use super::super::manifest::Roots;
use super::super::{Files, Findings, progress, text};
use super::module_files::{is_rego, is_test};
use super::rewrite::Sources;
use super::rules::Rules;
use super::{builtins, check, data, message, scan};

/// Steps of the interpreter between two looks at the clock.
const TIMER_INTERVAL: u32 = 16;
/// Above what the scan lets through, so that the scan's message is the one that people see.
const PARSER_MAX_COLUMNS: u32 = 16 * 1024;
const PARSER_MAX_LINES: usize = 2 * scan::MAX_LINES as usize;

/// A mark is about as long as the shortest definition, `a := 1`, nine times over.
const MARKED: u16 = 10;

/// Loading this many takes about a second.
const MAX_RULES: usize = 20_000;

/// What the parser says where a rule is written as Rego had it before 1.0; it stops there.
const V0_MESSAGES: [&str; 2] = [
    "`if` keyword is required before rule body",
    "`contains` keyword is required for partial set rules",
];

/// A bundle's modules and data in an engine that can be cloned and asked.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) engine: Engine,
    pub(super) rules: Rules,
    /// Where the text that was parsed differs from the files.
    pub(super) sources: Sources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modules {
    Served,
    /// With the `*_test.rego` files.
    WithTests,
}

/// Loads what is to be served or tested; `None` after an error finding.
pub(super) fn load(
    files: &Files,
    modules: Modules,
    time_limit: Duration,
    findings: &mut Findings,
) -> Option<Loaded> {
    let mut own = Findings::default();
    let mut sources = Sources::default();
    let loaded = load_as_parsed(files, modules, time_limit, &mut sources, &mut own);
    sources.lead_back(own.0.iter_mut());
    findings.0.append(&mut own.0);
    let (engine, rules) = loaded?;
    Some(Loaded { engine, rules, sources })
}

/// A second engine with the same data over marked texts of the modules; `install` puts into it what the
/// marks call.
///
/// # Errors
/// The engine refuses a text: the marks stand wrongly in it.
pub(super) fn again(
    loaded: &Loaded,
    texts: &[(String, String)],
    time_limit: Duration,
    install: impl FnOnce(&mut Engine),
) -> Result<Engine, String> {
    let mut engine = new_engine(time_limit);
    set_lengths(&mut engine, MARKED);
    install(&mut engine);
    let mut findings = Findings::default();
    for (file, text) in texts {
        progress::at_file(file);
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            engine.add_policy(file.clone(), text.clone()).map(drop)
        }));
        match parsed {
            Ok(parsed) => {
                parsed.map_err(|error| message::finding(&error.to_string(), file).message)?;
            }
            Err(_) => return Err(format!("the parser panicked on `{file}`")),
        }
    }
    engine.add_data(loaded.engine.get_data()).map_err(|error| error.to_string())?;
    match prepare(&mut engine, &mut findings) {
        Some(()) => Ok(engine),
        None => Err(findings.to_string()),
    }
}

fn load_as_parsed(
    files: &Files,
    modules: Modules,
    time_limit: Duration,
    sources: &mut Sources,
    findings: &mut Findings,
) -> Option<(Engine, Rules)> {
    let mut engine = new_engine(time_limit);
    let mut rules = 0_usize;
    for (file, content) in files.iter().filter(|(file, _)| is_module(file, modules)) {
        let before = engine.get_modules().len();
        add_module(&mut engine, file, content, sources, findings);
        let added = engine.get_modules().iter().skip(before);
        rules += added.map(|module| module.policy.len()).sum::<usize>();
        if rules > MAX_RULES {
            findings.error(file, 0, 0, format!("the bundle has more than {MAX_RULES} rules"));
            break;
        }
    }
    if findings.has_errors() {
        return None;
    }
    let rules = Rules::of(engine.get_modules());
    check::check(&rules, findings);
    let data = data::load(files, &rules, findings);
    if let Some(data) = &data {
        check::check_roots(&rules, data, &Roots::of(files), findings);
    }
    if findings.has_errors() {
        return None;
    }
    if let Err(error) = engine.add_data(data?) {
        findings.error("", 0, 0, format!("the data is refused: {error}"));
        return None;
    }
    prepare(&mut engine, findings)?;
    Some((engine, rules))
}

fn is_module(file: &str, modules: Modules) -> bool {
    match modules {
        Modules::Served => is_rego(file) && !is_test(file),
        Modules::WithTests => is_rego(file),
    }
}

pub(super) fn new_engine(time_limit: Duration) -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true); // taken and dropped: nothing reaches stderr
    set_time_limit(&mut engine, time_limit);
    set_lengths(&mut engine, 1);
    builtins::install(&mut engine);
    engine
}

/// What the parser takes, so many times as long as a file may be.
fn set_lengths(engine: &mut Engine, times: u16) {
    if let (Some(max_col), Some(max_file_bytes), Some(max_lines)) = (
        NonZeroU32::new(PARSER_MAX_COLUMNS * u32::from(times)),
        NonZeroUsize::new(scan::MAX_FILE_BYTES * usize::from(times)),
        NonZeroUsize::new(PARSER_MAX_LINES * usize::from(times)),
    ) {
        engine.set_policy_length_config(PolicyLengthConfig { max_col, max_file_bytes, max_lines });
    }
}

pub(super) fn set_time_limit(engine: &mut Engine, limit: Duration) {
    let check_interval = NonZeroU32::new(TIMER_INTERVAL).unwrap_or(NonZeroU32::MIN);
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval });
}

fn add_module(
    engine: &mut Engine,
    file: &str,
    content: &[u8],
    sources: &mut Sources,
    findings: &mut Findings,
) {
    let Some(text) = text::policy_text(file, content, findings) else { return };
    progress::at_file(file);
    if !scan::scan(file, text, findings) {
        return;
    }
    let Some(text) = sources.parsed(file, text, findings) else { return };
    let parsed =
        catch_unwind(AssertUnwindSafe(|| engine.add_policy(file.to_owned(), text).map(drop)));
    match parsed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let mut found = message::finding(&error.to_string(), file);
            if V0_MESSAGES.iter().any(|message| found.message.contains(message)) {
                found.message = "this is Rego v0 syntax: rules need `if` and `contains`".to_owned();
                found.hint = Some("rewrite the file with `opa fmt --write --rego-v1`".to_owned());
            }
            findings.0.push(found);
        }
        Err(_) => findings.error(file, 0, 0, "the parser panicked on this file"),
    }
}

/// Lets the engine analyse its modules now. It does so before it looks for the rule, which cannot
/// exist: its name is none.
pub(super) fn prepare(engine: &mut Engine, findings: &mut Findings) -> Option<()> {
    const NO_RULE: &str = "data.!";
    engine.set_input(Value::Undefined);
    let prepared = catch_unwind(AssertUnwindSafe(|| {
        engine.eval_rule(NO_RULE.to_owned()).err().map(|error| error.to_string())
    }));
    match prepared {
        Ok(None) => Some(()),
        Ok(Some(error)) if error == "not a valid rule path" => Some(()),
        Ok(Some(error)) => {
            findings.0.push(message::finding(&error, ""));
            None
        }
        Err(_) => {
            findings.error("", 0, 0, "the engine panicked on these policies");
            None
        }
    }
}
