//! One engine that Portreeve builds on, alone, asked by `benches/engines/compare.py`.
//!
//! `portreeve-engines ENGINE FOLDER DOCUMENT` loads the policies of a folder and the input document,
//! says `ready OUTCOME`, and for each line with a count on standard input decides that many times and
//! says `done`. The input is an engine's value before the count begins: it is not part of the figure.

use std::ffi::OsStr;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};

/// The rule that decides in every reference policy.
const ENTRY: &str = "data.authz.allow";
/// Far above what any reference policy takes; the machine's own limit is 25,000.
const MAX_INSTRUCTIONS: usize = 10_000_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [engine, folder, document] = arguments.as_slice() else {
        bail!("usage: portreeve-engines interpreter|rvm|cedar|cedar-whole FOLDER DOCUMENT");
    };
    let folder = Path::new(folder);
    let document = std::fs::read_to_string(document)?;
    match engine.as_str() {
        "interpreter" => interpreter(folder, &document),
        "rvm" => machine(folder, &document),
        "cedar" => cedar(folder, &document, false),
        "cedar-whole" => cedar(folder, &document, true),
        _ => bail!("there is no engine `{engine}`"),
    }
}

/// Answers the counts on standard input; `decide` says whether the request is allowed.
fn asked(mut decide: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let mut say = std::io::stdout();
    let expected = decide()?;
    writeln!(say, "ready {}", if expected { "allow" } else { "deny" })?;
    for line in std::io::stdin().lock().lines() {
        for _ in 0..line?.trim().parse::<u32>()? {
            if black_box(decide()?) != expected {
                bail!("the decision changed");
            }
        }
        writeln!(say, "done")?;
    }
    Ok(())
}

fn interpreter(folder: &Path, document: &str) -> anyhow::Result<()> {
    let mut engine = engine(folder)?;
    let input = Value::from_json_str(document)?;
    asked(|| {
        engine.set_input(input.clone());
        is_true(&engine.eval_rule(ENTRY.to_owned())?)
    })
}

fn machine(folder: &Path, document: &str) -> anyhow::Result<()> {
    let mut engine = engine(folder)?;
    let policy = engine.compile_with_entrypoint(&ENTRY.into())?;
    let program = Compiler::compile_from_policy(&policy, &[ENTRY]).map_err(|e| anyhow!("{e}"))?;
    let data = match files(folder, "json")?.as_slice() {
        [] => Value::new_object(),
        [(_, text), ..] => Value::from_json_str(text)?,
    };
    let mut machine = RegoVM::new();
    machine.load_program(program);
    machine.set_data(data)?;
    machine.set_max_instructions(MAX_INSTRUCTIONS);
    machine.set_strict_builtin_errors(true);
    let input = Value::from_json_str(document)?;
    asked(|| {
        machine.set_input(input.clone());
        is_true(&machine.execute_entry_point_by_index(0).map_err(|e| anyhow!("{e}"))?)
    })
}

/// Policies and data as the product gives them to the same interpreter.
fn engine(folder: &Path) -> anyhow::Result<Engine> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    for (path, text) in files(folder, "rego")? {
        engine.add_policy(path.display().to_string(), text)?;
    }
    for (_, text) in files(folder, "json")? {
        engine.add_data(Value::from_json_str(&text)?)?;
    }
    Ok(engine)
}

fn is_true(value: &Value) -> anyhow::Result<bool> {
    match value {
        Value::Bool(is_allowed) => Ok(*is_allowed),
        _ => bail!("`{ENTRY}` is `{value}`"),
    }
}

/// `is_authorized` alone, or with the request and the entities built for every decision.
fn cedar(folder: &Path, document: &str, is_whole: bool) -> anyhow::Result<()> {
    let mut set = PolicySet::new();
    for (path, text) in files(folder, "cedar")? {
        let some: PolicySet = text.parse().with_context(|| path.display().to_string())?;
        for policy in some.policies() {
            let id = policy.annotation("id").context("a policy without an id")?.parse()?;
            set.add(policy.new_id(id))?;
        }
    }
    let document: serde_json::Value = serde_json::from_str(document)?;
    let asked_for = Asked::of(&document)?;
    let authorizer = Authorizer::new();
    let (request, entities) = asked_for.build()?;
    asked(|| {
        let built = is_whole.then(|| asked_for.build()).transpose()?;
        let (request, entities) = built.as_ref().map_or((&request, &entities), |(r, e)| (r, e));
        let response = authorizer.is_authorized(request, &set, entities);
        match response.diagnostics().errors().next() {
            Some(error) => bail!("{error}"),
            None => Ok(response.decision() == Decision::Allow),
        }
    })
}

/// What a Cedar request is built from.
struct Asked {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    path: String,
}

impl Asked {
    fn of(document: &serde_json::Value) -> anyhow::Result<Self> {
        let text = |pointer: &str| {
            let value = document.pointer(pointer).and_then(serde_json::Value::as_str);
            value.with_context(|| format!("the document has no text at `{pointer}`"))
        };
        Ok(Self {
            principal: format!("Workload::{:?}", text("/source/spiffe_id")?).parse()?,
            action: format!("Action::{:?}", text("/request/method")?).parse()?,
            resource: format!("Route::{:?}", text("/request/route")?).parse()?,
            path: text("/request/path")?.to_owned(),
        })
    }

    fn build(&self) -> anyhow::Result<(Request, Entities)> {
        let ids = [&self.principal, &self.action, &self.resource].map(Clone::clone);
        let path = ("path".to_owned(), RestrictedExpression::new_string(self.path.clone()));
        let context = Context::from_pairs([path])?;
        let entities = ids.clone().map(Entity::with_uid);
        let [principal, action, resource] = ids;
        let request = Request::new(principal, action, resource, context, None)?;
        Ok((request, Entities::from_entities(entities, None)?))
    }
}

/// The files of a folder that end in this, by name.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in folder.read_dir().with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(extension)) {
            let text = std::fs::read_to_string(&path)?;
            found.push((path, text));
        }
    }
    found.sort();
    Ok(found)
}
