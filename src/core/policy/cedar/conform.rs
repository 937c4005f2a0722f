//! Cedar's own test cases, with schemas of any domain, through our loading, index and error rule.
//!
//! Only what turns an access request into a Cedar request stays out: such cases bring their own.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Context, Entities, EntityUid, PolicyId, Request, Schema, ValidationMode, Validator,
};
use serde_json::Value;

use super::conditions;
use super::index::Index;
use super::parse;
use super::place::{error_at, report, sentence};
use super::scan::statements;
use super::source::Source;
use super::tally::Tally;
use crate::policy::{Findings, Outcome, PolicyRef, Severity};

/// Policies, entities and schema of one test case.
#[derive(Debug)]
pub struct CedarCase {
    index: Index,
    /// By our id, the id that Cedar's cases use: `policy0`, `policy1`, … in the order of the text.
    numbered: BTreeMap<PolicyId, String>,
    schema: Schema,
    actions: Entities,
    entities: Entities,
}

/// One request of a case, as the case writes it.
#[derive(Debug)]
pub struct CedarRequest<'a> {
    pub principal: &'a Value,
    pub action: &'a Value,
    pub resource: &'a Value,
    pub context: &'a Value,
    /// Whether the request has to conform to the schema.
    pub is_validated: bool,
}

/// What Cedar answered, and what became of it under our rule.
#[derive(Debug)]
pub struct CedarAnswer {
    pub outcome: Outcome,
    /// What our record would name.
    pub policies: BTreeSet<String>,
    pub cedar_allows: bool,
    pub reason: BTreeSet<String>,
    pub errors: BTreeSet<String>,
}

impl CedarCase {
    /// Loads under the limits of a bundle; strict validation can be left out.
    ///
    /// # Errors
    /// A text breaks a limit, does not parse, or does not validate.
    pub fn load(
        (file, policies): (&str, &str),
        schema: (&str, &str),
        entities: (&str, &str),
        is_validated: bool,
    ) -> Result<Self, Findings> {
        let mut findings = Findings::default();
        let source = Source { file, text: policies };
        let (parsed, places) = parse::parse(vec![source], &mut findings);
        let Some(schema) = schema_of(schema, &mut findings) else { return Err(findings) };
        let (entities_file, entities) = entities;
        let stored = Entities::from_json_str(entities, Some(&schema))
            .map_err(|error| findings.error(entities_file, 0, 0, sentence(&error)));
        let actions =
            schema.action_entities().map_err(|error| findings.error("", 0, 0, sentence(&error)));
        let (Some(parsed), Ok(entities), Ok(actions)) =
            (parsed.into_iter().next(), stored, actions)
        else {
            return Err(findings);
        };
        if is_validated {
            let result =
                Validator::new(schema.clone()).validate(&parsed.set, ValidationMode::Strict);
            for error in result.validation_errors() {
                let start = parsed.statements.get(error.policy_id()).map(|found| found.start);
                report(&mut findings, Severity::Error, file, policies, error, start);
            }
        }
        let conditions = conditions::of(std::slice::from_ref(&parsed), &mut findings);
        if findings.has_errors() {
            return Err(findings);
        }
        let mut in_order: Vec<_> = parsed.statements.iter().collect();
        in_order.sort_by_key(|(_, statement)| statement.start);
        let number =
            |(number, (id, _)): (usize, (&PolicyId, _))| (id.clone(), format!("policy{number}"));
        let numbered = in_order.into_iter().enumerate().map(number).collect();
        // Such a context need not have a path.
        let index = Index::build(&parsed.set, &conditions, &places, None);
        Ok(Self { index, numbered, schema, actions, entities })
    }

    /// Decides one request under the policies whose scope lets it through.
    ///
    /// # Errors
    /// The request is none, or does not conform to the schema.
    pub fn answer(&self, request: &CedarRequest<'_>) -> Result<CedarAnswer, String> {
        self.try_answer(request).map_err(|error| sentence(&*error))
    }

    fn try_answer(
        &self,
        request: &CedarRequest<'_>,
    ) -> Result<CedarAnswer, Box<dyn std::error::Error>> {
        let uid = |value: &Value| EntityUid::from_json(value.clone()).map_err(Box::new);
        let action = uid(request.action)?;
        let schema = request.is_validated.then_some(&self.schema);
        let context =
            Context::from_json_value(request.context.clone(), schema.map(|s| (s, &action)))?;
        let (principal, resource) = (uid(request.principal)?, uid(request.resource)?);
        let asked = |uid: &EntityUid, entities: &Entities| {
            self.index.asked(uid, entities.ancestors(uid).into_iter().flatten())
        };
        let candidates = self.index.candidates(
            &asked(&principal, &self.entities),
            &asked(&action, &self.actions),
            &asked(&resource, &self.entities),
        );
        let cedar = Request::new(principal, action, resource, context, schema)?;
        let mut tally = Tally::of_scopes(&self.index, &candidates);
        tally.evaluate(&self.index, &candidates, &cedar, &self.entities);
        let name = |policy: &PolicyRef| {
            self.numbered.get(&PolicyId::new(&policy.id)).cloned().unwrap_or_default()
        };
        // Cedar names the forbids that hold, and the permits only where there are none.
        let cedar_allows = tally.forbids.is_empty() && !tally.permits.is_empty();
        let reason = if tally.forbids.is_empty() { &tally.permits } else { &tally.forbids };
        let reason = reason.iter().map(|policy| name(policy)).collect();
        let verdict = tally.verdict();
        // What a record would carry, so that the product's own diagnostics are compared.
        let errors = verdict.errors.iter().filter_map(|error| error.policy.as_ref());
        Ok(CedarAnswer {
            outcome: verdict.outcome,
            policies: verdict.policies.iter().map(name).collect(),
            cedar_allows,
            reason,
            errors: errors.map(name).collect(),
        })
    }
}

fn schema_of((file, text): (&str, &str), findings: &mut Findings) -> Option<Schema> {
    if let Err(excess) = statements(text) {
        error_at(findings, file, text, excess.offset, excess.message);
        return None;
    }
    match Schema::from_cedarschema_str(text) {
        Ok((schema, _)) => Some(schema),
        Err(error) => {
            report(findings, Severity::Error, file, text, &error, None);
            None
        }
    }
}
